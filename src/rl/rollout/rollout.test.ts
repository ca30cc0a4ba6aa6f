import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { forcedEngine } from '../../../test/support/forced-engine.ts';
import { tinyConfig } from '../../../test/tiny-config.ts';
import { byteText } from '../../../test/train/byte-text.ts';
import { createWasmDevice } from '../../device/wasm/device.ts';
import { Engine } from '../../engine/engine.ts';
import { initializeModel } from '../../model/initialize.ts';
import { releaseModel, type TrainableModel } from '../../model/weights.ts';
import { Random } from '../../random.ts';
import { FAMILIES, generateProblem, type Problem, solvedChat } from '../../tasks/index.ts';
import { chatSegments } from '../../text/chat-segments.ts';
import { encodeChat } from '../../text/chat-template.ts';
import { score } from '../../train/objective.ts';
import { trainingBatch } from '../../train/targets.ts';
import type { PartialRollout, RolloutResult, Sequence } from '../scheduler/types.ts';
import type { Trajectory } from '../trajectory.ts';
import { rolloutsOf } from './rollout.ts';

const device = await createWasmDevice({ threads: 1 });
const text = byteText();
const config = tinyConfig({
  vocabSize: text.tokenizer.vocabSize,
  maxPositions: 8192,
  eosTokenIds: [text.tokenizer.idOf('<|im_end|>')!],
});
let model: TrainableModel;
let engine: Engine;
beforeAll(async () => {
  model = await initializeModel(device, config, 3);
});
beforeEach(() => {
  engine = new Engine(model, {
    vocabSize: text.tokenizer.vocabSize,
    sequences: 4,
    cacheTokens: 16_384,
    cacheType: 'f32',
  });
});
afterEach(() => engine.release());
afterAll(() => {
  releaseModel(model);
  expect(device.allocatedBytes).toBe(0);
  return device.destroy();
});

const never = new AbortController().signal;

function problemOf(name: string, seed = 1): Problem {
  const family = FAMILIES.find((one) => one.name === name)!;
  const options = { language: 'en', level: 'easy', thinking: true } as const;
  return generateProblem(family, new Random(seed), 'train', options);
}

function sequenceOf(problem: Problem, changes: Partial<Sequence> = {}): Sequence {
  return {
    id: 's1',
    group: 'g1',
    source: 'tasks',
    domain: 'tools',
    prompt: { problem, cell: '', key: null, rubric: null },
    attempt: 0,
    seed: 5,
    maxTokens: 4000,
    temperature: 1,
    partial: null,
    ...changes,
  };
}

/** What the assistant writes in a solution, turn by turn, as tokens. */
function turnsOf(problem: Problem): number[][] {
  const { thinking, tools } = problem;
  const options = { enableThinking: thinking, ...(tools && { tools }) };
  return chatSegments(text.tokenizer, text.chatTemplate, solvedChat(problem), options)
    .filter(({ trained }) => trained)
    .map((segment) => text.tokenizer.encode(segment.text));
}

function finished(result: RolloutResult): Trajectory {
  if (result.status !== 'finished') throw new Error('was paused');
  return result.trajectory;
}

/** The trainer's own log-probabilities, with the rollout's experts. */
async function trainedLogprobs({ tokens, sampled, routes }: Trajectory): Promise<number[]> {
  const { layers, perToken, experts } = routes!;
  const replayed = Array.from({ length: layers }, (_, layer) =>
    Int32Array.from({ length: tokens.length * perToken }, (_, i) => {
      const [position, k] = [Math.floor(i / perToken), i % perToken];
      // The last token predicts nothing; any experts will do.
      return experts[(position * layers + layer) * perToken + k] ?? k;
    }),
  );
  const batch = { ...trainingBatch([tokens], [sampled]), routes: replayed };
  return [...(await score(model, batch, 0)).nextToken.logProbability];
}

function expectClose(one: readonly number[], other: readonly number[]): void {
  expect(one).toHaveLength(other.length);
  for (const [i, value] of one.entries()) expect(value).toBeCloseTo(other[i]!, 4);
}

describe('a rollout', () => {
  test('has the log-probabilities that training gives its tokens with its experts', async () => {
    const rollout = rolloutsOf({ engine, config, text });
    const problem = problemOf('arithmetic');
    const runs = [1, 2, 3].map((seed) =>
      rollout(sequenceOf(problem, { seed, maxTokens: 60 }), never),
    );
    const trajectories = (await Promise.all(runs)).map(finished);
    expect(new Set(trajectories.map(({ tokens }) => String(tokens))).size).toBe(3);
    for (const trajectory of trajectories) {
      const { tokens, sampled, logprobs, versions, routes } = trajectory;
      expect(routes!.experts).toHaveLength((tokens.length - 1) * 2 * 2);
      const own = [...logprobs].filter((_, i) => sampled[i] === 1);
      expectClose(await trainedLogprobs(trajectory), own);
      expect([...versions].map((version) => (version < 0 ? 0 : 1))).toEqual([...sampled]);
    }
    const again = await rollout(sequenceOf(problem, { seed: 2, maxTokens: 60 }), never);
    expect(finished(again).tokens).toEqual(trajectories[1]!.tokens);
  });

  test.each([0, 0.5])('at temperature %d has log-probabilities at 1', async (temperature) => {
    const rollout = rolloutsOf({ engine, config, text });
    const sequence = sequenceOf(problemOf('arithmetic'), { maxTokens: 40, temperature });
    const trajectory = finished(await rollout(sequence, never));
    const own = [...trajectory.logprobs].filter((_, i) => trajectory.sampled[i] === 1);
    expectClose(await trainedLogprobs(trajectory), own);
  });

  test('that reaches its limit is cut, and what was cut is no answer', async () => {
    const rollout = rolloutsOf({ engine, config, text });
    const result = await rollout(sequenceOf(problemOf('arithmetic'), { maxTokens: 7 }), never);
    const { sampled, finish, reward } = finished(result);
    expect([sampled.reduce((a, b) => a + b), finish, reward]).toEqual([7, 'length', null]);
    if (result.status !== 'finished') return;
    expect(result.response).toEqual([{ role: 'assistant', content: '' }]);
    const short = rolloutsOf({ engine, config, text, contextTokens: 20 });
    await expect(short(sequenceOf(problemOf('arithmetic')), never)).rejects.toMatchObject({
      kind: 'rollout',
      message: expect.stringMatching(/^the prompt has \d+ tokens, and sequences may have 20$/),
    });
  });
});

describe('a rollout with tools', () => {
  test.each([
    'shell',
    'functions',
  ])('of %s is the tokens of the whole chat, each once', async (name) => {
    for (const seed of [1, 2, 3]) {
      const problem = problemOf(name, seed);
      const turns = turnsOf(problem);
      expect(turns.length).toBeGreaterThan(1);
      const rollout = rolloutsOf({ engine: forcedEngine(engine, turns), config, text });
      const result = await rollout(sequenceOf(problem), never);
      const trajectory = finished(result);
      const { tokens, sampled, logprobs, routes, finish } = trajectory;
      expect(finish).toBe('stop');
      const { thinking, tools, messages } = problem;
      if (result.status !== 'finished') continue;
      expect(await problem.verify(result.response)).toMatchObject({ correct: true });
      // The template permits it: rendered again, as a whole, the chat has the same ids.
      const chat = [...messages, ...result.response];
      const whole = encodeChat(text.tokenizer, text.chatTemplate, chat, {
        enableThinking: thinking,
        ...(tools && { tools }),
      });
      expect([...tokens]).toEqual(whole);
      expect([...tokens].filter((_, i) => sampled[i] === 1)).toEqual(turns.flat());
      expect(routes!.experts).toHaveLength((tokens.length - 1) * 4);
      const own = [...logprobs].filter((_, i) => sampled[i] === 1);
      expectClose(await trainedLogprobs(trajectory), own);
    }
  });

  test('keeps what was sampled, however it would be rendered', async () => {
    const problem = problemOf('functions', 1);
    const [first, ...rest] = turnsOf(problem);
    const odd = [...text.tokenizer.encode('  <think>hm </think>\n'), ...first!.slice(1)];
    const rollout = rolloutsOf({ engine: forcedEngine(engine, [odd, ...rest]), config, text });
    const { tokens, sampled } = finished(await rollout(sequenceOf(problem), never));
    expect([...tokens].filter((_, i) => sampled[i] === 1)).toEqual([...odd, ...rest.flat()]);
  });

  test('ends when it has had its turns', async () => {
    const problem = problemOf('functions', 1);
    const [first] = turnsOf(problem);
    const options = { engine: forcedEngine(engine, [first!, first!, first!]), config, text };
    const result = await rolloutsOf({ ...options, mostTurns: 2 })(sequenceOf(problem), never);
    expect(finished(result).finish).toBe('length');
    if (result.status === 'finished')
      expect(result.response.map(({ role }) => role)).toEqual([
        'assistant',
        'tool',
        'assistant',
        'assistant',
      ]);
  });

  test('is cut where what a tool gives does not fit', async () => {
    const problem = problemOf('functions', 1);
    const turns = turnsOf(problem);
    const call = async () => 'many words '.repeat(1000);
    const openTools = async () => ({ finished: false, call, close: async () => {} });
    const options = { engine: forcedEngine(engine, turns), config, text, openTools };
    const result = await rolloutsOf(options)(sequenceOf(problem), never);
    const { finish, tokens, routes } = finished(result);
    expect(finish).toBe('length');
    expect(tokens.length).toBeLessThan(config.maxPositions);
    expect([...tokens.slice(-turns[0]!.length)]).toEqual(turns[0]);
    expect(routes!.experts).toHaveLength((tokens.length - 1) * 4);
  });

  test('goes on where it was paused, in a turn or at a call', async () => {
    const problem = problemOf('shell', 2);
    const turns = turnsOf(problem);
    const whole = rolloutsOf({ engine: forcedEngine(engine, turns), config, text });
    const expected = finished(await whole(sequenceOf(problem), never));

    // At the call of the first turn; then all is read back from JSON.
    const atCall = new AbortController();
    const openTools = async () => ({
      finished: false,
      call: async () => {
        atCall.abort();
        throw atCall.signal.reason;
      },
      close: async () => {},
    });
    const forced = forcedEngine(engine, turns);
    const left = rolloutsOf({ engine: forced, config, text, openTools });
    const first = throughJson(await left(sequenceOf(problem), atCall.signal));
    expect([...first.sampled].filter(Boolean)).toHaveLength(turns[0]!.length);

    // In the middle of the second turn.
    await engine.updateWeights(1, () => {});
    const inTurn = new AbortController();
    const stopping = pausingAfter(forced, 5, inTurn);
    const second = throughJson(
      await rolloutsOf({ engine: stopping, config, text })(
        sequenceOf(problem, { partial: first }),
        inTurn.signal,
      ),
    );
    const drawn = [...second.sampled].filter(Boolean).length - turns[0]!.length;
    expect(drawn).toBeGreaterThanOrEqual(5);

    await engine.updateWeights(2, () => {});
    const remaining = [turns[1]!.slice(drawn), ...turns.slice(2)];
    const last = rolloutsOf({ engine: forcedEngine(engine, remaining), config, text });
    const result = await last(sequenceOf(problem, { partial: second }), never);
    const { tokens, logprobs, versions, routes, sampled } = finished(result);
    expect(tokens).toEqual(expected.tokens);
    expect(routes).toEqual(expected.routes);
    expectClose([...logprobs], [...expected.logprobs]);
    const own = [...versions].filter((_, i) => sampled[i] === 1);
    expect(own.slice(0, turns[0]!.length).every((version) => version === 0)).toBe(true);
    expect(own.slice(turns[0]!.length, turns[0]!.length + drawn).every((v) => v === 1)).toBe(true);
    expect(own.slice(turns[0]!.length + drawn).every((version) => version === 2)).toBe(true);
    if (result.status === 'finished') {
      expect(await problem.verify(result.response)).toMatchObject({ correct: true });
    }
  });
});

/** A paused rollout as a file would have kept it. */
function throughJson(result: RolloutResult): PartialRollout {
  if (result.status !== 'paused') throw new Error('was not paused');
  const { state, ...arrays } = result.partial;
  return { ...arrays, state: JSON.parse(JSON.stringify(state)) };
}

function pausingAfter(
  engine: ReturnType<typeof forcedEngine>,
  count: number,
  controller: AbortController,
) {
  return {
    async *generate(...call: Parameters<typeof engine.generate>) {
      let drawn = 0;
      for await (const step of engine.generate(...call)) {
        drawn += step.tokens.length;
        if (drawn >= count) controller.abort();
        yield step;
      }
    },
  };
}

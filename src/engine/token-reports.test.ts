import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { tinyConfig } from '../../test/tiny-config.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { packDocuments } from '../model/batch.ts';
import { initializeModel } from '../model/initialize.ts';
import { trunk } from '../model/trunk.ts';
import { type Model, releaseModel } from '../model/weights.ts';
import { linear } from '../tensor/ops/index.ts';
import { readFloats, readInts, Scope } from '../tensor/scope.ts';
import { Engine } from './engine.ts';
import type { GenerationOptions, GenerationStep, PromptReading } from './generation.ts';
import { Sequence } from './sequence.ts';
import type { ScoredToken } from './token-reports.ts';

const device = createReferenceDevice();
const vocabSize = 22;
let model: Model;
let engine: Engine;

beforeAll(async () => {
  model = await initializeModel(device, tinyConfig({ maxPositions: 1024 }), 1);
  engine = new Engine(model, { vocabSize });
});

afterEach(() => {
  vi.restoreAllMocks();
});

afterAll(async () => {
  await engine.release();
  releaseModel(model);
  expect(device.allocatedBytes).toBe(0);
});

interface Answer {
  tokens: number[];
  scores: ScoredToken[];
  experts: number[][];
  prompt: PromptReading | undefined;
  finish: GenerationStep['finish'];
}

async function collect(steps: AsyncIterable<GenerationStep>): Promise<Answer> {
  const answer: Answer = { tokens: [], scores: [], experts: [], prompt: undefined, finish: null };
  for await (const step of steps) {
    expect(step.prompt !== undefined).toBe(answer.prompt === undefined);
    answer.prompt ??= step.prompt;
    answer.tokens.push(...step.tokens);
    answer.scores.push(...(step.scores ?? []));
    answer.experts.push(...(step.experts ?? []).map((row) => [...row]));
    answer.finish = step.finish;
  }
  return answer;
}

/** The model on a text, without caches: log-probabilities after each token, and every layer's experts. */
async function passAll(tokens: readonly number[]) {
  const scope = new Scope(device);
  const passed = trunk(scope, model, packDocuments(scope, [tokens]));
  const logits = await readFloats(device, linear(scope, passed.hidden, model.head));
  const columns = logits.length / tokens.length;
  const layers: Int32Array[] = [];
  for (const { experts } of passed.routes) layers.push((await readInts(device, experts)).slice());
  scope.close();
  const perToken = model.config.experts.perToken;
  return tokens.map((_, row) => {
    const own = [...logits.subarray(row * columns, row * columns + vocabSize)];
    const total = Math.log(own.reduce((sum, logit) => sum + Math.exp(logit), 0));
    return {
      logprobs: own.map((logit) => logit - total),
      experts: layers.flatMap((layer) => [...layer.subarray(row * perToken, (row + 1) * perToken)]),
    };
  });
}

function expectScore(score: ScoredToken, id: number, logprobs: readonly number[], top: number) {
  expect(score.id).toBe(id);
  expect(score.logprob).toBeCloseTo(logprobs[id]!, 4);
  const order = [...logprobs.keys()].sort((a, b) => logprobs[b]! - logprobs[a]!);
  expect(score.top.map(({ id }) => id)).toEqual(order.slice(0, top));
  for (const { id, logprob } of score.top) expect(logprob).toBeCloseTo(logprobs[id]!, 4);
}

const prompt = [3, 9, 4, 4, 17, 8, 11];
const requests: GenerationOptions[] = [
  { sampling: { temperature: 0.7, topP: 0.9 }, seed: 5, logprobs: { top: 3 } },
  { sampling: { temperature: 0 }, drafts: 0, logprobs: { top: 0 }, routedExperts: { from: 0 } },
  { sampling: { temperature: 1 }, seed: 1, routedExperts: { from: 3 } },
  { sampling: { temperature: 1, presencePenalty: 2 }, seed: 2, logprobs: { top: 5 } },
  { sampling: { temperature: 1 }, seed: 3, promptLogprobs: { top: 2, from: 0 } },
  { sampling: { temperature: 1 }, seed: 4, drafts: 0 },
].map((request) => ({ maxTokens: 30, stopTokens: [], ...request }));

describe('about each token of a batch, drafted or not', () => {
  test('log-probabilities and experts are those of the whole text', async () => {
    const answers = await Promise.all(
      requests.map((request) => collect(engine.generate(prompt, request))),
    );
    for (const [i, { tokens, scores, experts, prompt: reading }] of answers.entries()) {
      const { logprobs, routedExperts, promptLogprobs } = requests[i]!;
      expect(tokens).toHaveLength(30);
      const passed = await passAll([...prompt, ...tokens]);
      expect(scores).toHaveLength(logprobs ? 30 : 0);
      for (const [k, score] of scores.entries()) {
        expectScore(score, tokens[k]!, passed[prompt.length - 1 + k]!.logprobs, logprobs!.top);
      }
      const routed = [...(reading!.experts ?? []), ...experts.flat()];
      const wanted = passed.slice(routedExperts?.from ?? passed.length, -1);
      expect(routed).toEqual(wanted.flatMap((row) => row.experts));
      const scored = reading!.logprobs ?? [];
      expect(scored).toHaveLength(promptLogprobs ? prompt.length : 0);
      for (const [k, score] of scored.entries()) {
        if (k === 0) expect(score).toBeNull();
        else expectScore(score!, prompt[k]!, passed[k - 1]!.logprobs, 2);
      }
    }
  });

  test('they are the same alone, and asking changes no token', async () => {
    const together = await Promise.all(
      requests.map((request) => collect(engine.generate(prompt, request))),
    );
    for (const [i, request] of requests.entries()) {
      const sequence = new Sequence(model, { vocabSize });
      expect(await collect(sequence.generate(prompt, request))).toEqual(together[i]);
      const { sampling, seed, drafts, maxTokens, stopTokens } = request;
      const plain = { sampling, seed, drafts, maxTokens, stopTokens } as GenerationOptions;
      const { tokens } = await collect(sequence.generate(prompt, plain));
      expect(tokens).toEqual(together[i]!.tokens);
      sequence.release();
    }
  });

  test('a step still reads once', async () => {
    const read = vi.spyOn(device, 'read');
    const asked = { logprobs: { top: 4 }, routedExperts: { from: 0 } };
    let steps = 0;
    for await (const _ of engine.generate([3], { maxTokens: 20, stopTokens: [], ...asked })) {
      steps++;
    }
    expect(read).toHaveBeenCalledTimes(steps);
  });
});

describe('a prompt that is only read', () => {
  const text = Array.from({ length: 700 }, (_, i) => (i * i + 3 * i) % vocabSize);

  test('is scored over several chunks, from any position', async () => {
    const passed = await passAll(text);
    for (const from of [0, 1, 511, 512, 699]) {
      const asked = { promptLogprobs: { top: 1, from }, routedExperts: { from } };
      const answer = await collect(engine.generate(text, { maxTokens: 0, ...asked }));
      expect(answer).toMatchObject({ tokens: [], finish: 'length' });
      const { logprobs, experts } = answer.prompt!;
      expect(logprobs).toHaveLength(text.length - from);
      for (const [i, score] of logprobs!.entries()) {
        const position = from + i;
        if (position === 0) expect(score).toBeNull();
        else expectScore(score!, text[position]!, passed[position - 1]!.logprobs, 1);
      }
      expect([...experts!]).toEqual(passed.slice(from, -1).flatMap((row) => row.experts));
    }
  });

  test('may fill the whole context', async () => {
    const whole = Array.from({ length: 1024 }, (_, i) => i % vocabSize);
    const asked = { maxTokens: 0, promptLogprobs: { top: 0, from: 1000 } };
    const { prompt: reading } = await collect(engine.generate(whole, asked));
    expect(reading!.logprobs).toHaveLength(24);
    await expect(collect(engine.generate(whole, { maxTokens: 1 }))).rejects.toThrow('shorten it');
  });

  test('has the scores that its tokens had when they were generated', async () => {
    const options = { sampling: { temperature: 1 }, maxTokens: 40, stopTokens: [] };
    const said = await collect(engine.generate(prompt, { ...options, logprobs: { top: 2 } }));
    const again = await collect(
      engine.generate([...prompt, ...said.tokens], {
        maxTokens: 0,
        promptLogprobs: { top: 2, from: prompt.length },
      }),
    );
    for (const [i, score] of again.prompt!.logprobs!.entries()) {
      expect(score!.id).toBe(said.tokens[i]);
      expect(score!.logprob).toBeCloseTo(said.scores[i]!.logprob, 4);
      expect(score!.top.map(({ id }) => id)).toEqual(said.scores[i]!.top.map(({ id }) => id));
    }
  });
});

test('a sequence says what was in its cache, and computes again what it is asked about', async () => {
  const sequence = new Sequence(model, { vocabSize });
  const options = { maxTokens: 5, stopTokens: [] };
  const first = await collect(sequence.generate(prompt, options));
  expect(first.prompt).toEqual({ cachedTokens: 0 });
  const longer = [...prompt, ...first.tokens, 3, 3];
  const second = await collect(sequence.generate(longer, options));
  expect(second.prompt).toEqual({ cachedTokens: prompt.length + 4 });
  const asked = { ...options, promptLogprobs: { top: 0, from: 2 } };
  const third = await collect(sequence.generate([...longer, ...second.tokens, 3], asked));
  expect(third.prompt!.cachedTokens).toBe(0);
  expect(third.prompt!.logprobs).toHaveLength(longer.length + 6 - 2);
  sequence.release();
});

test('a request that gave its memory back has everything once', async () => {
  const small = new Engine(model, { cacheTokens: 6 * 64, vocabSize });
  const all = Array.from({ length: 5 }, (_, seed) => ({
    seed,
    sampling: { temperature: 1, frequencyPenalty: 0.3, repetitionPenalty: 1.1 },
    maxTokens: 150,
    stopTokens: [],
    logprobs: { top: 1 },
    promptLogprobs: { top: 1, from: 0 },
    routedExperts: { from: 0 },
  }));
  const answers = await Promise.all(all.map((request) => collect(small.generate(prompt, request))));
  expect(small.load.preemptions).toBeGreaterThan(0);
  for (const [i, request] of all.entries()) {
    const { scores, ...alone } = await collect(engine.generate(prompt, request));
    const { scores: found, ...answer } = answers[i]!;
    expect(answer).toEqual(alone);
    expect(found.map(({ id }) => id)).toEqual(scores.map(({ id }) => id));
  }
  await small.release();
});

test('a model without experts has no routes to tell of', async () => {
  const config = tinyConfig({
    layers: tinyConfig().layers.map((layer) => ({ ...layer, feedForward: 'dense' as const })),
  });
  const dense = await initializeModel(device, config, 1);
  const sequence = new Sequence(dense);
  const asked = { maxTokens: 2, stopTokens: [], routedExperts: { from: 0 } };
  const { prompt: told } = await collect(sequence.generate(prompt, asked));
  expect(told!.experts).toHaveLength(0);
  sequence.release();
  releaseModel(dense);
});

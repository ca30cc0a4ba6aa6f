import { describe, expect, test } from 'vitest';
import { openModels } from '../../test/support/open-models.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import type { Model } from '../model/weights.ts';
import { Random } from '../random.ts';
import { Engine } from './engine.ts';
import type { GenerationOptions, TokenGenerator } from './generation.ts';
import { Sequence } from './sequence.ts';

const device = createReferenceDevice();
const { newModel, newEngine } = openModels(device);

interface Request extends GenerationOptions {
  prompt: number[];
}

/** Requests of many kinds: prompts of 1 to 60 tokens, greedy and sampled, with 0 to 3 drafts. */
function mixedRequests(count: number): Request[] {
  const random = new Random(3);
  return Array.from({ length: count }, (_, i) => ({
    prompt: Array.from({ length: i === 0 ? 1 : random.int(1, 60) }, () => random.int(3, 22)),
    sampling: i % 2 === 0 ? { temperature: 0 } : { temperature: 0.8, topP: 0.95 },
    seed: i,
    drafts: [3, 0, 3, 1, 2][i % 5]!,
    maxTokens: random.int(1, 60),
    stopTokens: i % 3 === 0 ? [7] : [],
  }));
}

async function answer(generator: TokenGenerator, request: Request): Promise<number[]> {
  const tokens: number[] = [];
  for await (const step of generator.generate(request.prompt, request)) tokens.push(...step.tokens);
  return tokens;
}

async function answersAlone(model: Model, requests: Request[]): Promise<number[][]> {
  const answers: number[][] = [];
  for (const request of requests) {
    const sequence = new Sequence(model);
    answers.push(await answer(sequence, request));
    sequence.release();
  }
  return answers;
}

describe('a batch of mixed requests', () => {
  test('gives each the tokens it gets alone', async () => {
    const model = await newModel();
    const requests = mixedRequests(12);
    const engine = newEngine(model, { sequences: 5, prefillTokens: 40 });
    const answers = await Promise.all(requests.map((request) => answer(engine, request)));
    expect(answers).toEqual(await answersAlone(model, requests));
    expect(new Set(answers.map(String)).size).toBeGreaterThan(6);
  });

  test('does so when they join one after another and some leave in the middle', async () => {
    const model = await newModel();
    const requests = mixedRequests(8).map((request) => ({ ...request, stopTokens: [] }));
    const expected = await answersAlone(model, requests);
    const engine = newEngine(model);
    const free = engine.memory.freePages;
    const running: Promise<void>[] = [];
    let mostAtOnce = 0;
    for (const [i, request] of requests.entries()) {
      const tokens: number[] = [];
      const leavesAfter = i % 2 === 0 ? 10 : Number.POSITIVE_INFINITY;
      const steps = engine.generate(request.prompt, request);
      // The next one joins after this one's first tokens.
      const { value } = await steps.next();
      tokens.push(...value!.tokens);
      mostAtOnce = Math.max(mostAtOnce, engine.load.running);
      const rest = async () => {
        for await (const step of steps) {
          tokens.push(...step.tokens);
          if (tokens.length >= leavesAfter) break;
        }
        expect(tokens).toEqual(expected[i]!.slice(0, tokens.length));
        expect(tokens.length).toBeGreaterThanOrEqual(Math.min(leavesAfter, expected[i]!.length));
      };
      running.push(rest());
    }
    await Promise.all(running);
    expect(mostAtOnce).toBeGreaterThan(2);
    await settle(engine);
    expect(engine.memory.freePages).toBe(free);
  });

  test('does so with a prompt of several chunks beside short ones', async () => {
    const model = await newModel({ maxPositions: 2048 });
    const long = Array.from({ length: 1100 }, (_, i) => (i * i) % 23);
    const requests = [
      { prompt: long, maxTokens: 20, stopTokens: [] },
      { prompt: long.slice(0, 30), maxTokens: 40, stopTokens: [] },
      { prompt: long.slice(50, 600), maxTokens: 20, stopTokens: [] },
    ];
    const engine = newEngine(model);
    const answers = await Promise.all(requests.map((request) => answer(engine, request)));
    expect(answers).toEqual(await answersAlone(model, requests));
  });
});

test('a long prompt does not hold up what is being answered', async () => {
  const model = await newModel({ maxPositions: 2048 });
  const engine = newEngine(model);
  const short = engine.generate([3, 4, 5], { maxTokens: 60, stopTokens: [] });
  await short.next();
  let isAnswered = false;
  const long = answer(engine, { prompt: new Array(1500).fill(6), maxTokens: 1 }).then(() => {
    isAnswered = true;
  });
  let stepsMeanwhile = 0;
  for await (const _ of short) if (!isAnswered) stepsMeanwhile++;
  await long;
  // One after each of its three chunks.
  expect(stepsMeanwhile).toBeGreaterThanOrEqual(3);
});

/** Waits until nothing is left to do. */
async function settle(engine: Engine): Promise<void> {
  while (engine.load.running + engine.load.waiting > 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

describe('when pages run out', () => {
  test('the youngest waits and loses nothing', async () => {
    const model = await newModel();
    const requests = mixedRequests(6).map((request) => ({
      ...request,
      maxTokens: 150,
      stopTokens: [],
    }));
    // Six pages for requests that grow to four each.
    const engine = newEngine(model, { cacheTokens: 6 * 64 });
    const free = engine.memory.freePages;
    const answers = requests.map((request) => answer(engine, request));
    expect(await Promise.all(answers)).toEqual(await answersAlone(model, requests));
    expect(engine.load.preemptions).toBeGreaterThan(0);
    expect(engine.memory.freePages).toBe(free);
  });

  test('a request that could never fit is refused in one line', async () => {
    const model = await newModel();
    const engine = newEngine(model, { cacheTokens: 128 });
    const prompt = new Array(126).fill(5);
    await expect(answer(engine, { prompt })).rejects.toThrow(
      'the prompt has 126 tokens, but the cache holds 125: shorten it, or give the cache more tokens',
    );
  });

  test('an answer ends where the cache does', async () => {
    const model = await newModel();
    const engine = newEngine(model, { cacheTokens: 128 });
    const prompt = new Array(100).fill(5);
    const finishes: unknown[] = [];
    let count = 0;
    for await (const step of engine.generate(prompt, { stopTokens: [] })) {
      count += step.tokens.length;
      finishes.push(step.finish);
    }
    expect(count).toBe(25);
    expect(finishes.at(-1)).toBe('length');
  });
});

describe('requests end', () => {
  test('by their signal, at the next step, and give their memory back', async () => {
    const model = await newModel();
    const engine = newEngine(model, { sequences: 2 });
    const { freePages } = engine.memory;
    const prompt = [3, 4, 5];
    const endless = { prompt, stopTokens: [] };
    const others = [answer(engine, endless), answer(engine, endless)];
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = [
      answer(engine, { ...endless, signal }),
      answer(engine, { ...endless, signal }),
    ];
    for (const promise of aborted) promise.catch(() => {});
    // A timer, which has to find its turn between the steps.
    setTimeout(() => controller.abort(new Error('enough')), 5);
    for (const promise of aborted) await expect(promise).rejects.toThrow('enough');
    expect(await others[0]).toEqual(await others[1]);
    await settle(engine);
    expect(engine.memory.freePages).toBe(freePages);
    await expect(answer(engine, { ...endless, signal })).rejects.toThrow('enough');
  });

  test('all of them if the device fails, and later ones can succeed', async () => {
    const model = await newModel();
    const engine = newEngine(model);
    const request = { prompt: [3, 4, 5], maxTokens: 5, stopTokens: [] };
    const before = await answer(engine, request);
    const { read } = device;
    device.read = () => Promise.reject(new Error('the device is lost'));
    const failing = [answer(engine, request), answer(engine, request)];
    for (const promise of failing) await expect(promise).rejects.toThrow('the device is lost');
    device.read = read;
    expect(await answer(engine, request)).toEqual(before);
  });

  test('when the engine is released', async () => {
    const model = await newModel();
    const engine = new Engine(model);
    const running = answer(engine, { prompt: [3, 4], stopTokens: [] });
    running.catch(() => {});
    setTimeout(() => engine.release(), 5);
    await expect(running).rejects.toThrow('the engine was released while it was answering');
    await expect(answer(engine, { prompt: [3] })).rejects.toThrow('the engine has been released');
  });
});

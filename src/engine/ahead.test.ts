import { afterEach, describe, expect, test, vi } from 'vitest';
import { tinyConfig } from '../../test/tiny-config.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { initializeModel } from '../model/initialize.ts';
import { type Model, releaseModel } from '../model/weights.ts';
import type { Device } from '../tensor/device.ts';
import type { Storage } from '../tensor/tensor.ts';
import { Engine } from './engine.ts';
import type { GenerationOptions, TokenGenerator } from './generation.ts';
import { nextTask } from './next-task.ts';
import { Sequence } from './sequence.ts';

const reference = createReferenceDevice();

/** What the device is asked for, in order: a step of the trunk, or its tokens as they arrive. */
let events: ('step' | 'tokens')[] = [];

/** Until the device has done what was asked so far. */
let work = Promise.resolve();
/** Milliseconds that it takes for a step. */
let time = 0;
/** Of a clock by which rows that a step has more cost more than they could be worth. */
let clock = 0;

/** The reference device as one that queues its calls: what it reads arrives later, one after another. */
const queueing: Device = Object.assign(Object.create(reference) as Device, {
  queuesCalls: true,
  kernels: {
    ...reference.kernels,
    embedAttentionInputs(call: Parameters<Device['kernels']['embedAttentionInputs']>[0]) {
      events.push('step');
      clock += call.tokens.size ** 2;
      reference.kernels.embedAttentionInputs(call);
    },
  },
  release(storage: Storage) {
    // Nobody may count on what was there.
    reference.write(storage, 0, new Uint8Array(storage.byteLength).fill(0xff));
    reference.release(storage);
  },
  async read(...range: Parameters<Device['read']>) {
    const bytes = await reference.read(...range);
    if (time > 0) work = work.then(() => new Promise((resolve) => setTimeout(resolve, time)));
    await work;
    events.push('tokens');
    return bytes;
  },
});

afterEach(() => {
  expect(reference.allocatedBytes).toBe(0);
});

async function withModel(device: Device, work: (model: Model) => Promise<void>): Promise<void> {
  const model = await initializeModel(device, tinyConfig(), 1);
  events = [];
  await work(model);
  releaseModel(model);
}

interface Request extends GenerationOptions {
  prompt: number[];
  /** Leaves after so many tokens. */
  leaveAfter?: number;
}

const requests: Request[] = Array.from({ length: 9 }, (_, i) => ({
  prompt: Array.from({ length: 1 + ((11 * i) % 40) }, (_, at) => 3 + ((5 * i + 7 * at) % 19)),
  sampling: i % 2 === 0 ? { temperature: 0 } : { temperature: 0.9 },
  seed: i,
  drafts: i === 6 ? 2 : 0,
  maxTokens: [70, 24, 1, 33, 2, 40, 12, 68, 19][i]!,
  stopTokens: i % 3 === 0 ? [7, 12] : [],
  ...(i === 5 && { leaveAfter: 9 }),
}));

async function answer(generator: TokenGenerator, request: Request): Promise<number[]> {
  const tokens: number[] = [];
  for await (const step of generator.generate(request.prompt, request)) {
    tokens.push(...step.tokens);
    if (tokens.length === request.leaveAfter) break;
  }
  return tokens;
}

async function answersAlone(device: Device, some: Request[]): Promise<number[][]> {
  const answers: number[][] = [];
  await withModel(device, async (model) => {
    for (const request of some) {
      const sequence = new Sequence(model);
      answers.push(await answer(sequence, request));
      sequence.release();
    }
  });
  return answers;
}

describe('a device that queues its calls', () => {
  test('has the next step before the tokens of the one before have arrived', async () => {
    const request = { prompt: [3, 4, 5], drafts: 0, maxTokens: 4, stopTokens: [] };
    const expectAhead = () => {
      const indices = (kind: string) => events.flatMap((event, i) => (event === kind ? [i] : []));
      const [steps, tokens] = [indices('step'), indices('tokens')];
      // No step after the fourth, which is known to be the last.
      expect([steps.length, tokens.length]).toEqual([4, 4]);
      for (let i = 1; i < 4; i++) expect(steps[i]).toBeLessThan(tokens[i - 1]!);
    };
    time = 2;
    await withModel(queueing, async (model) => {
      const sequence = new Sequence(model);
      await answer(sequence, request);
      sequence.release();
      expectAhead();

      events = [];
      const engine = new Engine(model);
      await answer(engine, request);
      await engine.release();
      expectAhead();
    });
  });

  test('gives a sequence the same tokens, and lets it go on after a stop', async () => {
    expect(await answersAlone(queueing, requests)).toEqual(await answersAlone(reference, requests));
    const [first] = await answersAlone(reference, [{ ...requests[1]!, maxTokens: 30 }]);
    const stop = { ...requests[1]!, stopTokens: [first![9]!] };
    await withModel(queueing, async (model) => {
      const sequence = new Sequence(model);
      const begin = await answer(sequence, stop);
      const longer = { ...stop, prompt: [...stop.prompt, ...begin, 5, 6], seed: 8 };
      const fresh = new Sequence(model);
      expect(await answer(sequence, longer)).toEqual(await answer(fresh, longer));
      sequence.release();
      fresh.release();
    });
  });

  test.each([0, 2])('gives many at once the same tokens as each alone, in %i ms', async (ms) => {
    time = ms;
    const expected = await answersAlone(reference, requests);
    await withModel(queueing, async (model) => {
      const engine = new Engine(model, { sequences: 3 });
      const answers = requests.map(async (request, i) => {
        for (let wait = 0; wait < 4 * i; wait++) await nextTask();
        return answer(engine, request);
      });
      expect(await Promise.all(answers)).toEqual(expected);
      await engine.release();
      const ahead = events.filter((event, i) => event === 'step' && events[i - 1] === 'step');
      expect(ahead.length).toBeGreaterThan(5);
    });
  });

  test('goes ahead as long as drafts are not worth it, and no further', async () => {
    time = 1;
    const fixed = { ...requests[1]!, maxTokens: 150, stopTokens: [] };
    const greedy = { ...fixed, sampling: { temperature: 0 }, adaptiveDrafts: true, drafts: 3 };
    const free = [greedy, { ...greedy, prompt: [9, 8] }, { ...greedy, prompt: [3, 4, 5] }];
    const expected = await answersAlone(reference, [...free, fixed]);
    await withModel(queueing, async (model) => {
      const now = vi.spyOn(performance, 'now').mockImplementation(() => clock);
      const engine = new Engine(model);
      /** Steps that the device had before the tokens of those before them had arrived. */
      const aheadOf = async (answers: () => Promise<number[][]>, tokens: number[][]) => {
        events = [];
        expect(await answers()).toEqual(tokens);
        let waiting = 0;
        return events.filter((event) => {
          waiting += event === 'step' ? 1 : -1;
          return event === 'step' && waiting > 1;
        }).length;
      };
      for (const _ of free) await answer(engine, greedy);
      const alone = async () => [await answer(engine, greedy)];
      expect(await aheadOf(alone, expected.slice(0, 1))).toBeGreaterThan(100);
      const together = () => Promise.all([...free, fixed].map((one) => answer(engine, one)));
      expect(await aheadOf(together, expected)).toBeGreaterThan(100);
      now.mockRestore();
      await engine.release();
    });
  });

  test('loses nothing of those that must wait for memory', async () => {
    const long = requests.slice(0, 5).map((request) => ({
      ...request,
      ...{ drafts: 0, maxTokens: 150, stopTokens: [] },
    }));
    const expected = await answersAlone(reference, long);
    await withModel(queueing, async (model) => {
      // Six pages for requests that grow to three each.
      const engine = new Engine(model, { cacheTokens: 6 * 64 });
      const answers = long.map((request) => answer(engine, request));
      expect(await Promise.all(answers)).toEqual(expected);
      expect(engine.load.preemptions).toBeGreaterThan(0);
      await engine.release();
    });
  });
});

/**
 * Does this machine compute the model right? Compares a device with numbers that another
 * implementation computed: forward pass, routing, MTP, losses, every gradient, one AdamW step, and
 * greedy generation without a cache, with one, with MTP drafting, and in a batch.
 */
import { loadOpenModel } from '../checkpoint/load-open-model.ts';
import { Engine } from '../engine/engine.ts';
import { Sequence } from '../engine/sequence.ts';
import { packDocuments } from '../model/batch.ts';
import { mtpBlock, mtpInput } from '../model/mtp.ts';
import { trunk } from '../model/trunk.ts';
import { type Model, releaseModel } from '../model/weights.ts';
import type { Device } from '../tensor/device.ts';
import { linear } from '../tensor/ops/index.ts';
import { readFloats, Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Fixture, openFixture } from './fixture.ts';
import { compareRoutes } from './parity-routes.ts';
import { compareTraining } from './parity-training.ts';

export interface Comparison {
  what: string;
  /** Largest error; of what kind, `unit` says. */
  error: number;
  limit: number;
  unit: 'absolute' | 'relative' | 'tokens' | 'rows';
  /** Where the largest error is. */
  where?: string;
}

/** Largest differences allowed (float32 against float32, other orders of summation). */
export const limits = { logits: 1e-3, gradient: 1e-3, parameter: 1e-5 };

/**
 * Yields one comparison after the other.
 *
 * @throws UserError when the fixture is missing or damaged
 */
export async function* compareWithFixture(
  device: Device,
  prefix: string,
): AsyncGenerator<Comparison> {
  const fixture = await openFixture(prefix);
  try {
    const model = await loadOpenModel(device, fixture.checkpoint);
    try {
      yield* compareForward(model, fixture);
      yield* compareGeneration(model, fixture);
      yield* compareTraining(model, fixture);
    } finally {
      releaseModel(model);
    }
  } finally {
    await fixture.close();
  }
}

export function isWithin({ error, limit }: Comparison): boolean {
  return error <= limit;
}

/** The fixture's documents: input_ids [B,T]. */
export async function fixtureDocuments({ expected }: Fixture): Promise<number[][]> {
  const [count = 0, length = 0] = expected.info('input_ids').shape;
  const ids = await expected.readIntegers('input_ids');
  return Array.from({ length: count }, (_, i) => [...ids.subarray(i * length, (i + 1) * length)]);
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(largest, difference);
  }
  return largest;
}

async function* compareForward(model: Model, fixture: Fixture): AsyncGenerator<Comparison> {
  const { device } = model;
  const { expected } = fixture;
  const documents = await fixtureDocuments(fixture);
  const scope = new Scope(device);
  try {
    const result = trunk(scope, model, packDocuments(scope, documents));
    const compare = async (what: string, name: string, tensor: Tensor): Promise<Comparison> => {
      const error = largestDifference(
        await readFloats(device, tensor),
        await expected.readFloats(name),
      );
      return { what, error, limit: limits.logits, unit: 'absolute' };
    };
    yield await compare('final hidden state', 'hidden_post_norm', result.hidden);
    yield await compare('logits', 'logits', linear(scope, result.hidden, model.head));
    yield* compareRoutes(model, result.routes, expected);

    for (let head = 0; head < model.mtp.length; head++) {
      const logits = mtpLogits(scope, model, documents, head, mtpInput(model, result));
      yield await compare(`MTP head ${head} logits`, `mtp.${head}.logits`, logits);
    }
  } finally {
    scope.close();
  }
}

/** Logits of the rows for which head `head` has a token to read: all but the last head + 1. */
function mtpLogits(
  scope: Scope,
  model: Model,
  documents: number[][],
  head: number,
  hidden: Tensor,
): Tensor {
  const { kernels } = scope.device;
  const shifted = packDocuments(
    scope,
    documents.map((document) => document.map((_, t) => document[t + 1 + head] ?? -1)),
  );
  const out = mtpBlock(scope, model, head, shifted, hidden);
  let begin = 0;
  const rows = documents.flatMap(({ length }) => {
    const document = Array.from({ length: length - 1 - head }, (_, t) => begin + t);
    begin += length;
    return document;
  });
  const chosen = scope.empty([rows.length, out.columns]);
  const indices = scope.from([rows.length], Int32Array.from(rows));
  kernels.gatherRows({ table: out, indices, out: chosen });
  return linear(scope, chosen, model.head);
}

async function* compareGeneration(model: Model, { expected }: Fixture): AsyncGenerator<Comparison> {
  const all = [...(await expected.readIntegers('greedy.tokens'))];
  const logprobs = await expected.readFloats('greedy.logprobs');
  const prompt = all.slice(0, all.length - logprobs.length);
  const wanted = all.slice(prompt.length);
  const compare = (what: string, tokens: number[]): Comparison => {
    const first = wanted.findIndex((token, i) => token !== tokens[i]);
    const differing = wanted.filter((token, i) => token !== tokens[i]).length;
    return {
      what: `greedy tokens ${what}`,
      error: differing,
      limit: 0,
      unit: 'tokens',
      ...(first >= 0 && { where: `first at ${first}` }),
    };
  };

  const plain = await generateWithoutCache(model, prompt, wanted.length);
  yield compare('without cache', plain.tokens);
  yield {
    what: 'greedy log-probabilities',
    error: largestDifference(plain.logprobs, logprobs),
    limit: limits.logits,
    unit: 'absolute',
  };
  for (const drafts of model.mtp.length > 0 ? [0, model.mtp.length] : [0]) {
    const sequence = new Sequence(model, { cacheType: 'f32' });
    try {
      const tokens: number[] = [];
      const options = { drafts, maxTokens: wanted.length, stopTokens: [] };
      for await (const step of sequence.generate(prompt, options)) tokens.push(...step.tokens);
      yield compare(drafts === 0 ? 'with cache' : `with ${drafts} MTP drafts`, tokens);
    } finally {
      sequence.release();
    }
  }
  yield compare('in a batch', await generateInBatch(model, prompt, wanted.length));
}

/** The prompt's tokens from an engine that answers parts of the prompt at the same time. */
async function generateInBatch(model: Model, prompt: number[], count: number): Promise<number[]> {
  const engine = new Engine(model, { cacheType: 'f32' });
  try {
    const parts = [0.25, 0.5, 1, 0.75].map((part) => Math.ceil(part * prompt.length));
    const answers = parts.map(async (length) => {
      const tokens: number[] = [];
      const options = { maxTokens: count, stopTokens: [] };
      for await (const step of engine.generate(prompt.slice(0, length), options)) {
        tokens.push(...step.tokens);
      }
      return tokens;
    });
    return (await Promise.all(answers))[2]!;
  } finally {
    await engine.release();
  }
}

async function generateWithoutCache(model: Model, prompt: number[], count: number) {
  const { device } = model;
  const tokens: number[] = [];
  const logprobs: number[] = [];
  while (tokens.length < count) {
    const scope = new Scope(device);
    try {
      const batch = packDocuments(scope, [[...prompt, ...tokens]]);
      const { hidden } = trunk(scope, model, batch);
      const last = hidden.slice(hidden.rows - 1, hidden.rows);
      const logits = await readFloats(device, linear(scope, last, model.head));
      const largest = logits.reduce((a, b) => Math.max(a, b));
      const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
      tokens.push(logits.indexOf(largest));
      logprobs.push(-Math.log(sum));
    } finally {
      scope.close();
    }
  }
  return { tokens, logprobs };
}

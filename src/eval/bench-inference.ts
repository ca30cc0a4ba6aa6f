import { Sequence } from '../engine/sequence.ts';
import { packDocuments } from '../model/batch.ts';
import { describeModel } from '../model/describe.ts';
import { trunk } from '../model/trunk.ts';
import type { Model } from '../model/weights.ts';
import { gatherRows, linear } from '../tensor/ops/index.ts';
import { readFloats, Scope } from '../tensor/scope.ts';
import { randomDocuments } from './bench-training.ts';
import { bestSeconds } from './measure.ts';
import { forwardFlops } from './model-flops.ts';
import type { KernelProfile, KernelTime } from './profile.ts';
import type { Bandwidth, Roofline } from './roofline.ts';

export interface PrefillSizes {
  sequences: number;
  length: number;
}

export interface PrefillFigure extends PrefillSizes {
  tokensPerSecond: number;
  gflops: number;
  shareOfProduct: number;
  /** Of one pass, if asked for. */
  kernels: KernelTime[] | null;
}

export interface DecodeFigure {
  context: number;
  tokensPerSecond: number;
  /** Bytes of weights and cache that a token needs, times tokens a second. */
  gigabytesPerSecond: number;
  /** Share of the read bandwidth measured in the same run. */
  shareOfBandwidth: number;
  /** Of some tokens, if asked for. */
  profile: { tokens: number; kernels: KernelTime[] } | null;
}

/** Prompts that pass the trunk together, and the logits after each of them. */
export async function measurePrefill(
  model: Model,
  { sequences, length }: PrefillSizes,
  roofline: Roofline,
  profile: KernelProfile | null,
): Promise<PrefillFigure> {
  const { config, device } = model;
  const documents = randomDocuments(config.vocabSize, sequences, length);
  const last = Int32Array.from(documents, (_, i) => (i + 1) * length - 1);
  const pass = async () => {
    const scope = new Scope(device);
    try {
      const { hidden } = trunk(scope, model, packDocuments(scope, documents));
      const rows = gatherRows(scope, hidden, scope.from([sequences], last));
      await readFloats(device, linear(scope, rows, model.head));
    } finally {
      scope.close();
    }
  };
  const seconds = await bestSeconds(pass, { minimumSeconds: 1 });
  const tokens = sequences * length;
  const work = { tokens, sequenceLength: length, predictions: sequences };
  const flops = forwardFlops(config, work) / seconds;
  return {
    sequences,
    length,
    tokensPerSecond: tokens / seconds,
    gflops: flops * 1e-9,
    shareOfProduct: flops / roofline.rounded,
    kernels: (await profile?.measure(pass)) ?? null,
  };
}

/** Tokens that are decoded for a figure and for a profile, at most. */
const decodedTokens = 200;
const profiledTokens = 32;

/** Decodes one sequence without drafts after a context of random tokens. */
export async function measureDecode(
  model: Model,
  context: number,
  bandwidth: Bandwidth,
  profile: KernelProfile | null,
): Promise<DecodeFigure> {
  const [prompt] = randomDocuments(model.config.vocabSize, 1, Math.max(context, 1));
  const sequence = new Sequence(model);
  try {
    // Decoding before compiles kernels, lets the cache grow and brings a GPU's clock up.
    await decode(await afterPrompt(sequence, prompt!), { seconds: 0.5 });
    const { tokens, seconds } = await decode(await afterPrompt(sequence, prompt!), { seconds: 5 });
    const tokensPerSecond = tokens / seconds;
    const gigabytesPerSecond = (tokenBytes(model, context) * tokensPerSecond) / 1e9;
    return {
      context,
      tokensPerSecond,
      gigabytesPerSecond,
      shareOfBandwidth: gigabytesPerSecond / bandwidth.read,
      profile: profile && (await profileDecoding(sequence, prompt!, profile)),
    };
  } finally {
    sequence.release();
  }
}

/** Weights that a token passes, and the keys and values that it sees. */
function tokenBytes({ config }: Model, context: number): number {
  const { parameters, cache } = describeModel(config);
  const sliding = (Math.min(context, cache.window) / cache.window) * cache.slidingBytes;
  return 4 * parameters.active + cache.globalBytesPerToken * context + sliding;
}

async function profileDecoding(
  sequence: Sequence,
  prompt: number[],
  profile: KernelProfile,
): Promise<{ tokens: number; kernels: KernelTime[] }> {
  const steps = await afterPrompt(sequence, prompt);
  let tokens = 0;
  const kernels = await profile.measure(async () => {
    ({ tokens } = await decode(steps, { tokens: profiledTokens }));
  });
  return { tokens, kernels };
}

type Steps = AsyncGenerator<unknown>;

/** The steps of a generation, the first token of which has been drawn. */
async function afterPrompt(sequence: Sequence, prompt: number[]): Promise<Steps> {
  sequence.clear();
  const options = { maxTokens: decodedTokens + 1, stopTokens: [], drafts: 0 };
  const steps = sequence.generate(prompt, options);
  await steps.next();
  return steps;
}

/** Decodes until there are so many tokens, or so many seconds have passed. */
async function decode(
  steps: Steps,
  most: { tokens?: number; seconds?: number },
): Promise<{ tokens: number; seconds: number }> {
  const { tokens: mostTokens = decodedTokens, seconds: mostSeconds = Number.POSITIVE_INFINITY } =
    most;
  const begin = performance.now();
  const done = { tokens: 0, seconds: 0 };
  while (done.tokens < mostTokens && done.seconds < mostSeconds) {
    if ((await steps.next()).done) break;
    done.tokens++;
    done.seconds = (performance.now() - begin) / 1e3;
  }
  return done;
}

import { Decoder } from '../engine/decoder.ts';
import type { DecoderSequence } from '../engine/decoder-sequence.ts';
import { greedy } from '../engine/sampling.ts';
import { describeModel } from '../model/describe.ts';
import type { Model } from '../model/weights.ts';
import { Random } from '../random.ts';
import { randomDocuments } from './bench-training.ts';
import { bestSeconds } from './measure.ts';
import { forwardFlops } from './model-flops.ts';
import type { KernelProfile, KernelTime } from './profile.ts';
import type { Bandwidth, Roofline } from './roofline.ts';

/** Sequences that are in the device's memory together, and the tokens of each. */
export interface BatchSizes {
  sequences: number;
  length: number;
}

export interface PrefillFigure extends BatchSizes {
  tokensPerSecond: number;
  gflops: number;
  shareOfProduct: number;
  /** Of one pass, if asked for. */
  kernels: KernelTime[] | null;
}

export interface DecodeFigure extends BatchSizes {
  /** Of all sequences together. */
  tokensPerSecond: number;
  /** Bytes of weights and cache that a step needs, times steps a second. */
  gigabytesPerSecond: number;
  /** Share of the read bandwidth measured in the same run. */
  shareOfBandwidth: number;
  /** Of some steps, if asked for. */
  profile: { steps: number; kernels: KernelTime[] } | null;
}

/** Prompts that pass the trunk in one call, into the cache, and the first token after each of them. */
export async function measurePrefill(
  model: Model,
  sizes: BatchSizes,
  roofline: Roofline,
  profile: KernelProfile | null,
): Promise<PrefillFigure> {
  const { sequences, length } = sizes;
  const batch = new DecodingBatch(model, sizes);
  try {
    const pass = async () => {
      batch.open();
      await batch.prefill(sequences);
      await batch.step();
    };
    const seconds = await bestSeconds(pass, { minimumSeconds: 1 });
    const tokens = sequences * length;
    const work = { tokens, sequenceLength: length, predictions: sequences };
    const flops = forwardFlops(model.config, work) / seconds;
    return {
      ...sizes,
      tokensPerSecond: tokens / seconds,
      gflops: flops * 1e-9,
      shareOfProduct: flops / roofline.rounded,
      kernels: (await profile?.measure(pass)) ?? null,
    };
  } finally {
    batch.release();
  }
}

/** Steps that are taken for a figure, at most, and those of a profile. */
const decodedSteps = 400;
const profiledSteps = 32;
/** Rows of prompts that pass the trunk together before decoding. */
const prefilledRows = 4096;

/** Decodes without drafts after prompts of random tokens. */
export async function measureDecode(
  model: Model,
  sizes: BatchSizes,
  bandwidth: Bandwidth,
  profile: KernelProfile | null,
): Promise<DecodeFigure> {
  const batch = new DecodingBatch(model, sizes);
  try {
    batch.open();
    await batch.prefill(Math.max(1, Math.floor(prefilledRows / sizes.length)));
    // The first steps compile kernels and bring a GPU's clock up.
    await batch.steps({ seconds: 1 });
    const { steps, seconds } = await batch.steps({ seconds: 3 });
    const gigabytesPerSecond = (stepBytes(model, sizes) * steps) / seconds / 1e9;
    return {
      ...sizes,
      tokensPerSecond: (sizes.sequences * steps) / seconds,
      gigabytesPerSecond,
      shareOfBandwidth: gigabytesPerSecond / bandwidth.read,
      profile: profile && {
        steps: profiledSteps,
        kernels: await profile.measure(() => batch.steps({ steps: profiledSteps })),
      },
    };
  } finally {
    batch.release();
  }
}

/** Sequences of random tokens in a decoder. */
class DecodingBatch {
  readonly #decoder: Decoder;
  readonly #prompts: number[][];
  readonly #random = new Random(0);
  #sequences: DecoderSequence[] = [];

  constructor(model: Model, { sequences, length }: BatchSizes) {
    this.#prompts = randomDocuments(model.config.vocabSize, sequences, Math.max(length, 1));
    const positions = length + 2 * decodedSteps + profiledSteps + 1;
    this.#decoder = new Decoder(model, {
      // A page of each sequence is not full.
      cacheTokens: sequences * (positions + 64),
      sequences,
    });
  }

  /** Begins anew with the prompts, of which nothing has passed the model. */
  open(): void {
    for (const sequence of this.#sequences) this.#decoder.close(sequence);
    this.#sequences = this.#prompts.map((prompt) => this.#decoder.open([...prompt])!);
  }

  /** Passes the prompts but for their last tokens, `together` of them in a call. */
  async prefill(together: number): Promise<void> {
    for (let begin = 0; begin < this.#sequences.length; begin += together) {
      const parts = this.#sequences
        .slice(begin, begin + together)
        .map((sequence) => ({ sequence, end: sequence.tokens.length - 1 }))
        .filter(({ sequence, end }) => end > sequence.length);
      for (const { sequence, end } of parts) this.#decoder.reserve(sequence, end);
      if (parts.length > 0) await this.#decoder.prefill(parts);
    }
  }

  /** One more token of each sequence. */
  async step(): Promise<void> {
    const requests = this.#sequences.map((sequence) => {
      if (!this.#decoder.reserve(sequence, sequence.length + 1)) {
        throw new Error('the cache is smaller than what is decoded');
      }
      return { sequence, sampling: greedy, random: this.#random };
    });
    const given = await this.#decoder.step(requests, 0);
    this.#sequences.forEach((sequence, i) => {
      sequence.append(given[i]!.tokens);
    });
  }

  /** Steps until there are so many, or so many seconds have passed. */
  async steps(most: {
    steps?: number;
    seconds?: number;
  }): Promise<{ steps: number; seconds: number }> {
    const { steps = decodedSteps, seconds = Number.POSITIVE_INFINITY } = most;
    const begin = performance.now();
    const done = { steps: 0, seconds: 0 };
    while (done.steps < steps && done.seconds < seconds) {
      await this.step();
      done.steps++;
      done.seconds = (performance.now() - begin) / 1e3;
    }
    return done;
  }

  release(): void {
    this.#decoder.release();
  }
}

/** Weights that a step passes, with experts chosen evenly, and the keys and values that it sees. */
function stepBytes({ config }: Model, { sequences, length }: BatchSizes): number {
  const { parameters, cache } = describeModel(config);
  const { count, perToken } = config.experts;
  const one = perToken / Math.max(count, 1);
  // The share of experts that none but the first token of a step asks for.
  const further = one < 1 ? (1 - one - (1 - one) ** sequences) / (1 - one) : 0;
  const rest = parameters.trunk - parameters.active - config.vocabSize * config.hiddenSize;
  const sliding = (Math.min(length, cache.window) / cache.window) * cache.slidingBytes;
  const held = cache.globalBytesPerToken * length + sliding;
  return 4 * (parameters.active + further * Math.max(rest, 0)) + sequences * held;
}

import { Decoder } from '../engine/decoder.ts';
import type { DecoderSequence } from '../engine/decoder-sequence.ts';
import type { QueuedStep } from '../engine/queued-step.ts';
import { greedy } from '../engine/sampling.ts';
import type { StepAnswer } from '../engine/step-outputs.ts';
import type { StepRequest } from '../engine/step-request.ts';
import { describeModel } from '../model/describe.ts';
import type { Model } from '../model/weights.ts';
import { Random } from '../random.ts';
import type { CacheType } from '../tensor/cache-type.ts';
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
  cacheType: CacheType;
  /** Of all sequences together. */
  tokensPerSecond: number;
  /** Bytes of weights and cache that a step needs, times steps a second. */
  gigabytesPerSecond: number;
  /** Share of the read bandwidth measured in the same run. */
  shareOfBandwidth: number;
  /** Of some steps, if asked for. */
  profile: { steps: number; kernels: KernelTime[] } | null;
}

export interface MeasureOptions {
  profile: KernelProfile | null;
  /** See `cacheTypeOf`. */
  cacheType: CacheType | undefined;
}

/** Prompts that pass the trunk in one call, into the cache, and the first token after each of them. */
export async function measurePrefill(
  model: Model,
  sizes: BatchSizes,
  roofline: Roofline,
  { profile, cacheType }: MeasureOptions,
): Promise<PrefillFigure> {
  const { sequences, length } = sizes;
  const batch = new DecodingBatch(model, sizes, { cacheType });
  try {
    const pass = async () => {
      batch.open();
      await batch.prefill(sequences);
      await batch.step();
    };
    // The first pass compiles kernels, for longer than a GPU keeps its clock; it takes passes to come back.
    await pass();
    const seconds = await bestSeconds(pass, { minimumSeconds: 2 });
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
  { profile, cacheType }: MeasureOptions,
): Promise<DecodeFigure> {
  const batch = new DecodingBatch(model, sizes, { cacheType });
  try {
    batch.open();
    await batch.prefill(Math.max(1, Math.floor(prefilledRows / sizes.length)));
    // The first steps compile kernels and bring a GPU's clock up.
    await batch.steps({ seconds: 1 });
    const { steps, seconds } = await batch.steps({ seconds: 3 });
    const gigabytesPerSecond = (stepBytes(model, sizes, batch.cacheType) * steps) / seconds / 1e9;
    return {
      ...sizes,
      cacheType: batch.cacheType,
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

/** Sequences of random tokens in a decoder, which drafts `drafts` tokens a step. */
export class DecodingBatch {
  readonly #decoder: Decoder;
  readonly #drafts: number;
  readonly #prompts: number[][];
  readonly #random = new Random(0);
  #sequences: DecoderSequence[] = [];

  constructor(
    model: Model,
    { sequences, length }: BatchSizes,
    { drafts = 0, cacheType }: { drafts?: number; cacheType?: CacheType | undefined } = {},
  ) {
    this.#drafts = drafts;
    this.#prompts = randomDocuments(model.config.vocabSize, sequences, Math.max(length, 1));
    const positions = length + (2 * (decodedSteps + 1) + profiledSteps + 1) * (drafts + 1);
    this.#decoder = new Decoder(model, {
      // A page of each sequence is not full.
      cacheTokens: sequences * (positions + 64),
      sequences,
      cacheType,
    });
  }

  get cacheType(): CacheType {
    return this.#decoder.cacheType;
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

  /** One more token of each sequence, and those of the drafts that are right. */
  async step(): Promise<void> {
    this.#append(await this.#decoder.step(this.#requests(this.#drafts + 1), this.#drafts));
  }

  /**
   * Steps until there are so many, or so many seconds have passed; each is queued before the one before
   * is read where that is of use, as in an engine.
   */
  async steps(most: {
    steps?: number;
    seconds?: number;
  }): Promise<{ steps: number; seconds: number }> {
    const { steps = decodedSteps, seconds = Number.POSITIVE_INFINITY } = most;
    const begin = performance.now();
    const done = { steps: 0, seconds: 0 };
    const goesAhead = this.#decoder.goesAhead(this.#requests(0), this.#drafts);
    let ahead: QueuedStep | null = null;
    while (done.steps < steps && done.seconds < seconds) {
      if (goesAhead) {
        const step: QueuedStep = ahead ?? this.#decoder.queue(this.#requests(1));
        this.#requests(2);
        ahead = done.steps + 1 < steps ? this.#decoder.queueAfter(step) : null;
        this.#append(await step.read());
      } else {
        await this.step();
      }
      done.steps++;
      done.seconds = (performance.now() - begin) / 1e3;
    }
    if (ahead) this.#append(await ahead.read());
    return done;
  }

  /** A step of every sequence, with memory for so many more positions. */
  #requests(more: number): StepRequest[] {
    return this.#sequences.map((sequence) => {
      if (!this.#decoder.reserve(sequence, sequence.length + more)) {
        throw new Error('the cache is smaller than what is decoded');
      }
      return { sequence, sampling: greedy, random: this.#random };
    });
  }

  #append(given: readonly StepAnswer[]): void {
    this.#sequences.forEach((sequence, i) => {
      sequence.append(given[i]!.tokens);
    });
  }

  release(): void {
    this.#decoder.release();
  }
}

/** Weights that a step passes, with experts chosen evenly, and the keys and values that it sees. */
function stepBytes(
  { config }: Model,
  { sequences, length }: BatchSizes,
  cacheType: CacheType,
): number {
  const { parameters, cache } = describeModel(config, cacheType);
  const { count, perToken } = config.experts;
  const one = perToken / Math.max(count, 1);
  // The share of experts that none but the first token of a step asks for.
  const further = one < 1 ? (1 - one - (1 - one) ** sequences) / (1 - one) : 0;
  const rest = parameters.trunk - parameters.active - config.vocabSize * config.hiddenSize;
  const sliding = (Math.min(length, cache.window) / cache.window) * cache.slidingBytes;
  const held = cache.globalBytesPerToken * length + sliding;
  return 4 * (parameters.active + further * Math.max(rest, 0)) + sequences * held;
}

/**
 * Packs samples of any length into batches of a fixed number of tokens. Attention is confined to each
 * sample's own rows, so packing changes nothing but the speed.
 */
import type { Sample } from '../data/documents.ts';
import type { SampleReference, SampleStream, StreamState } from '../data/sample-stream.ts';
import { type TrainingBatch, trainingBatch } from './targets.ts';

export interface PackingOptions {
  /** Most tokens in a batch. */
  budget: number;
  /** Longest document, in tokens; longer samples are cut into several. */
  maxLength: number;
}

/** Where packing stands: small, and enough to go on with the same batches. */
export interface PackerState {
  stream: StreamState;
  /** Pieces of samples that are waiting, the oldest first. */
  waiting: PieceReference[];
}

/** A sample, or a part of one that begins at a token. */
interface PieceReference extends SampleReference {
  offset: number;
}

interface Piece {
  reference: PieceReference;
  sample: Sample;
}

/** Budgets' worth of tokens that wait to be chosen from. */
const waitingBudgets = 2;

export class Packer {
  readonly #stream: SampleStream;
  readonly #options: PackingOptions;
  #waiting: Piece[] = [];
  /** Pieces of a restored state, not loaded yet. */
  #restored: PieceReference[];

  constructor(stream: SampleStream, options: PackingOptions, waiting: PieceReference[] = []) {
    this.#stream = stream;
    this.#options = options;
    this.#restored = [...waiting];
  }

  /**
   * The next batch: pieces in their order as long as they fit, and then again and again the longest
   * that fits into what room is left; no more of them than `most`.
   */
  async next(most = Number.POSITIVE_INFINITY): Promise<TrainingBatch> {
    await this.#fill();
    const chosen: Piece[] = [];
    let room = this.#options.budget;
    for (let at = 0; at >= 0 && chosen.length < most; at = this.#nextWithin(room)) {
      const [piece] = this.#waiting.splice(at, 1);
      chosen.push(piece!);
      room -= piece!.sample.tokens.length;
    }
    const samples = chosen.map(({ sample }) => sample);
    const batch = trainingBatch(
      samples.map(({ tokens }) => tokens),
      samples.map(({ weights }) => weights),
    );
    return { ...batch, labels: samples.map(({ label }) => label) };
  }

  save(): PackerState {
    const waiting = this.#waiting.map(({ reference }) => reference);
    return { stream: this.#stream.save(), waiting: [...this.#restored, ...waiting] };
  }

  async #fill(): Promise<void> {
    for (const reference of this.#restored.splice(0)) {
      const sample = await this.#stream.load(reference);
      this.#waiting.push({ reference, sample: this.#cut(sample, reference.offset) });
    }
    let tokens = this.#waiting.reduce((sum, piece) => sum + piece.sample.tokens.length, 0);
    while (tokens < waitingBudgets * this.#options.budget) {
      const { reference, sample } = await this.#stream.next();
      const { length } = sample.tokens;
      // Parts overlap by a token: the first of a part is not predicted in it.
      for (let offset = 0; offset === 0 || offset < length - 1; offset += this.#maxLength - 1) {
        const part = this.#cut(sample, offset);
        if (!part.weights.some((weight, i) => i > 0 && weight !== 0)) continue;
        this.#waiting.push({ reference: { ...reference, offset }, sample: part });
        tokens += part.tokens.length;
      }
    }
  }

  #cut({ tokens, weights, ...rest }: Sample, offset: number): Sample {
    const end = offset + this.#maxLength;
    return {
      ...rest,
      tokens: tokens.subarray(offset, end),
      weights: weights.subarray(offset, end),
    };
  }

  get #maxLength(): number {
    return Math.min(this.#options.maxLength, this.#options.budget);
  }

  /** The first piece if it fits, or else the first of the longest that fit; −1 if none does. */
  #nextWithin(room: number): number {
    let [best, longest] = [-1, 0];
    for (const [i, { sample }] of this.#waiting.entries()) {
      const { length } = sample.tokens;
      if (length > room || length <= longest) continue;
      if (i === 0) return 0;
      [best, longest] = [i, length];
    }
    return best;
  }
}

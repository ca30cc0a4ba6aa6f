/**
 * One endless stream of samples out of a mixture of sources. Which source comes next depends on the
 * seed and on how many came before, so a few counters say where the stream is, and a run that is
 * resumed goes on with exactly the samples it would have seen.
 */
import { UserError } from '../errors.ts';
import { Random } from '../random.ts';
import type { TextFiles } from '../text/tokenizer-files.ts';
import { type DocumentSource, encodeDocument, type Sample } from './documents.ts';

/** A sample by the place it comes from: the source's number, and the document's number in it. */
export interface SampleReference {
  source: number;
  index: number;
}

/** How many samples each source has given; empty at the beginning. */
export type StreamState = number[];

export class SampleStream {
  readonly #sources: readonly { source: DocumentSource; weight: number }[];
  readonly #text: TextFiles;
  readonly #seed: number;
  readonly #taken: StreamState;

  constructor(
    sources: readonly { source: DocumentSource; weight: number }[],
    text: TextFiles,
    seed: number,
    state: StreamState = [],
  ) {
    this.#sources = sources;
    this.#text = text;
    this.#seed = seed;
    this.#taken = sources.map((_, i) => state[i] ?? 0);
  }

  save(): StreamState {
    return [...this.#taken];
  }

  /** Where the next sample comes from; it is taken. */
  next(): SampleReference {
    const count = this.#taken.reduce((sum, taken) => sum + taken, 0);
    const choices = this.#sources.map(({ weight }, source) => ({ source, weight }));
    const { source } = new Random(this.#seed, `sample ${count}`).weighted(choices);
    const index = this.#taken[source]!;
    this.#taken[source] = index + 1;
    return { source, index };
  }

  /** @throws UserError naming the document if it cannot be rendered or teaches nothing */
  async load({ source: number, index }: SampleReference): Promise<Sample> {
    const { source } = this.#sources[number]!;
    const sample = encodeDocument(this.#text, await source.document(index), source.where(index));
    if (!sample.weights.some((weight, i) => i > 0 && weight !== 0)) {
      throw new UserError(
        `${source.where(index)}: has nothing to learn; give it an assistant's message or more text`,
      );
    }
    return sample;
  }
}

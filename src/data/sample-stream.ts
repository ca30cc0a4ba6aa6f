/**
 * One endless stream of samples out of a mixture of sources. Which source comes next depends on the
 * seed and on how many came before, so a few counters say where the stream is, and a run that is
 * resumed goes on with exactly the samples it would have seen. Samples are asked for ahead of time,
 * so that sources on other threads are at work meanwhile.
 */
import { Random } from '../random.ts';
import type { Sample } from './documents.ts';

/** Samples by number. The same number always gives the same sample. */
export interface SampleSource {
  /** Where the sample comes from, for messages: a file and document, or a problem's number. */
  where(index: number): string;
  sample(index: number): Promise<Sample>;
  close(): Promise<void>;
}

export interface WeightedSource {
  source: SampleSource;
  /** Share of the samples, relative to the others'. */
  weight: number;
}

/** A sample by the place it comes from: the source's number, and the sample's number in it. */
export interface SampleReference {
  source: number;
  index: number;
}

/** How many samples each source has given; empty at the beginning. */
export type StreamState = number[];

export class SampleStream {
  readonly #sources: readonly WeightedSource[];
  readonly #seed: number;
  /** Samples that are asked for before they are wanted. */
  readonly #lookahead: number;
  readonly #taken: StreamState;
  readonly #requested: StreamState;
  readonly #coming: { reference: SampleReference; sample: Promise<Sample> }[] = [];

  constructor(
    sources: readonly WeightedSource[],
    seed: number,
    state: StreamState = [],
    lookahead = 0,
  ) {
    this.#sources = sources;
    this.#seed = seed;
    this.#lookahead = lookahead;
    this.#taken = sources.map((_, i) => state[i] ?? 0);
    this.#requested = [...this.#taken];
  }

  save(): StreamState {
    return [...this.#taken];
  }

  /** Takes the next sample. */
  async next(): Promise<{ reference: SampleReference; sample: Sample }> {
    while (this.#coming.length <= this.#lookahead) this.#request();
    const { reference, sample } = this.#coming.shift()!;
    this.#taken[reference.source]! += 1;
    return { reference, sample: await sample };
  }

  /** A sample that was taken before. */
  load({ source, index }: SampleReference): Promise<Sample> {
    return this.#sources[source]!.source.sample(index);
  }

  #request(): void {
    const count = this.#requested.reduce((sum, requested) => sum + requested, 0);
    const choices = this.#sources.map(({ weight }, source) => ({ source, weight }));
    const { source } = new Random(this.#seed, `sample ${count}`).weighted(choices);
    const index = this.#requested[source]!;
    this.#requested[source] = index + 1;
    const reference = { source, index };
    const sample = this.load(reference);
    // Whoever takes the sample is told; until then a failure is nobody's.
    sample.catch(() => {});
    this.#coming.push({ reference, sample });
  }
}

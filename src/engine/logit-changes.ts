/** Penalties and biases of one answer: what `penalizeLogits` has to know of its tokens. */
import type { SamplingOptions } from './sampling.ts';

export class LogitChanges {
  /** Repetition, presence and frequency. */
  readonly settings: readonly [number, number, number];
  readonly #biases: ReadonlyMap<number, number>;
  /** How often each token was generated; 0 for those of the prompt alone. */
  readonly #counts = new Map<number, number>();

  /** `null` where the sampling changes no logits. */
  static of(sampling: SamplingOptions, prompt: readonly number[]): LogitChanges | null {
    const { repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0 } = sampling;
    const biases = sampling.logitBias ?? new Map<number, number>();
    const settings = [repetitionPenalty, presencePenalty, frequencyPenalty] as const;
    const isNeutral = settings.every((value, i) => value === noPenalties[i]);
    return isNeutral && biases.size === 0 ? null : new LogitChanges(settings, biases, prompt);
  }

  private constructor(
    settings: readonly [number, number, number],
    biases: ReadonlyMap<number, number>,
    prompt: readonly number[],
  ) {
    this.settings = settings;
    this.#biases = biases;
    if (settings[0] !== 1) for (const token of prompt) this.#counts.set(token, 0);
  }

  /** Counts tokens as generated. */
  add(tokens: readonly number[]): void {
    for (const token of tokens) this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
  }

  /** As `penalizeLogits` has entries: column, count and bias, in ascending order of columns. */
  get entries(): { column: number; count: number; bias: number }[] {
    const columns = [...new Set([...this.#counts.keys(), ...this.#biases.keys()])];
    return columns
      .sort((a, b) => a - b)
      .map((column) => ({
        column,
        count: this.#counts.get(column) ?? -1,
        bias: this.#biases.get(column) ?? 0,
      }));
  }
}

const noPenalties = [1, 0, 0];

/** The arguments of `penalizeLogits` that a step of S sequences with D drafts has for all its calls. */
export function changeArrays(changes: readonly (LogitChanges | null)[], drafts: number) {
  const lists = changes.map((change) => change?.entries ?? []);
  const entries = lists.flat();
  // An array of nothing cannot be bound.
  if (entries.length === 0) entries.push({ column: 0, count: -1, bias: 0 });
  let end = 0;
  const offsets = [0, ...lists.map((list) => (end += list.length))];
  /** Rows of each sequence after so many of its drafts. */
  const rows = (draftsBefore: readonly number[]) =>
    Int32Array.from(
      changes.flatMap((_, s) => draftsBefore.flatMap((count) => [s, s * (drafts + 1) + 1, count])),
    );
  return {
    shared: {
      settings: Float32Array.from(changes.flatMap((change) => change?.settings ?? noPenalties)),
      offsets: Int32Array.from(offsets),
      columns: Int32Array.from(entries, ({ column }) => column),
      counts: Int32Array.from(entries, ({ count }) => count),
      biases: Float32Array.from(entries, ({ bias }) => bias),
    },
    trunkRows: rows(Array.from({ length: drafts + 1 }, (_, d) => d)),
    blockRows: Array.from({ length: drafts }, (_, head) => rows([head])),
  };
}

/** Output that has to keep to a grammar: which tokens may come next, also after drafts. */
import type { GrammarState } from '../grammar/grammar-state.ts';
import { readInts, type Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** What one answer may say. It may stop where the grammar is at an end, and nowhere else. */
export class ConstrainedOutput {
  readonly #stops: readonly number[];
  #state: GrammarState;

  /** `stops`: the tokens that end an answer; they are no part of what the grammar describes. */
  constructor(start: GrammarState, stops: readonly number[]) {
    this.#state = start;
    this.#stops = stops;
  }

  /** Goes on by tokens that were chosen under its masks → how many, since it may be over before the last. */
  add(tokens: readonly number[]): number {
    for (const [i, token] of tokens.entries()) {
      if (this.isOver) return i;
      const next = this.#state.after(token);
      if (next) this.#state = next;
      else if (!this.#stops.includes(token)) throw new Error(`token ${token} was not allowed`);
    }
    return tokens.length;
  }

  /** Whether there is nothing more to say and no token to say so. */
  get isOver(): boolean {
    const { isFinal, mask } = this.#state;
    return isFinal && this.#stops.length === 0 && mask.every((word) => word === 0);
  }

  /** What may come next, then what after each draft; null after one that may not come itself. */
  masks(drafts: readonly number[]): (Int32Array | null)[] {
    let state: GrammarState | null = this.#state;
    return [null, ...drafts].map((draft) => {
      if (draft !== null) state = state?.after(draft) ?? null;
      return state && this.#withStops(state);
    });
  }

  #withStops({ mask, isFinal }: GrammarState): Int32Array {
    if (!isFinal) return mask;
    const all = mask.slice();
    for (const stop of this.#stops) all[stop >> 5]! |= 1 << (stop & 31);
    return all;
  }
}

/** As `maskLogits` takes them. */
export interface StepMasks {
  masks: Tensor;
  rows: Tensor;
}

type Constraints = readonly (ConstrainedOutput | null)[];

/** For a row of each sequence, before anything is drafted; null if there are no constraints. */
export function firstMasks(scope: Scope, constraints: Constraints): StepMasks | null {
  return upload(
    scope,
    constraints.map((constraint) => constraint?.masks([])[0] ?? null),
  );
}

/**
 * For the rows of a step's S sequences with D drafts each, i32 [S·(D+1)] with one known token before each
 * sequence's drafts. What may follow a draft takes the draft: where there are constraints and drafts, and
 * only there, a step reads back twice.
 */
export async function stepMasks(
  scope: Scope,
  constraints: Constraints,
  tokens: Tensor,
  drafts: number,
): Promise<StepMasks | null> {
  if (constraints.every((constraint) => constraint === null)) return null;
  const known = drafts > 0 ? await readInts(scope.device, tokens) : null;
  const own = (s: number) => known?.subarray(s * (drafts + 1) + 1, (s + 1) * (drafts + 1)) ?? [];
  const masks = constraints.flatMap(
    (constraint, s) => constraint?.masks([...own(s)]) ?? Array(drafts + 1).fill(null),
  );
  return upload(scope, masks);
}

function upload(scope: Scope, masks: readonly (Int32Array | null)[]): StepMasks | null {
  const present = masks.filter((mask) => mask !== null);
  if (present.length === 0) return null;
  const words = present[0]!.length;
  const all = new Int32Array(present.length * words);
  for (const [i, mask] of present.entries()) all.set(mask, i * words);
  let used = 0;
  const rows = Int32Array.from(masks, (mask) => (mask ? used++ : -1));
  return {
    masks: scope.from([present.length, words], all),
    rows: scope.from([masks.length], rows),
  };
}

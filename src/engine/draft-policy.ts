/** One step of a batch, as it went. */
export interface MeasuredStep {
  drafts: number;
  /** Null if the device had something else to do as well. */
  seconds: number | null;
  /** Drafts that were right, of each sequence. */
  accepted: readonly number[];
}

/** Weight of the newest measurement in a mean time. */
const timeWeight = 1 / 4;
/** What is left of older drafts in the shares of right ones, after each step. */
const hitMemory = 0.98;
/** Another number of drafts has to be this much faster to be taken up: changing costs a little. */
const gain = 1.05;
/** Steps between trials of other numbers of drafts, while some were never tried, and afterwards. */
const trialInterval = { unknown: 16, known: 128 };
/** Steps of a trial. The first is not measured: in it the MTP blocks may have to catch up. */
const trialSteps = 5;

/**
 * How many drafts a step should verify. More drafts give more tokens, but more rows too, which cost little
 * in a small batch that waits for memory and their full price in a large one. So both are measured: the
 * time of a step, by batch size and number of drafts, and how often each head is right. Expected tokens of
 * D drafts are 1 + Σ_{d≤D} Π_{i≤d} p_i, where p_i is head i's share of right drafts after right ones; the
 * most of them for the time is chosen. Now and then another number is tried, for times change.
 */
export class DraftPolicy {
  readonly #heads: number;
  /** By the power of two that a batch fits in. */
  readonly #sizes = new Map<number, BatchSize>();
  /** Fading counts for each head: drafts after right ones, and right ones of these. */
  readonly #asked: number[];
  readonly #hit: number[];
  #last: number | null = null;

  /** `heads`: most drafts. */
  constructor(heads: number) {
    this.#heads = heads;
    this.#asked = new Array(heads).fill(0);
    this.#hit = new Array(heads).fill(0);
  }

  /** The number of drafts of the next step of so many sequences. */
  choose(sequences: number): number {
    const { trial, chosen } = this.#size(sequences);
    return trial?.drafts ?? chosen;
  }

  /** To be told of every step. */
  observe({ drafts, seconds, accepted }: MeasuredStep): void {
    for (let head = 0; head < drafts; head++) {
      const asked = accepted.filter((count) => count >= head).length;
      const hit = accepted.filter((count) => count > head).length;
      this.#asked[head] = hitMemory * this.#asked[head]! + asked;
      this.#hit[head] = hitMemory * this.#hit[head]! + hit;
    }
    const size = this.#size(accepted.length);
    const isSteady = this.#last === drafts;
    this.#last = drafts;
    if (isSteady && seconds !== null) {
      const before = size.seconds[drafts]!;
      // Something else may have had the machine for a while.
      const counted = before === null ? seconds : Math.min(seconds, 2 * before);
      size.seconds[drafts] = before === null ? counted : before + timeWeight * (counted - before);
    }
    this.#advance(size);
  }

  #advance(size: BatchSize): void {
    if (size.trial && --size.trial.left > 0) return;
    size.trial = null;
    size.chosen = this.#best(size);
    const isKnown = size.seconds.every((seconds) => seconds !== null);
    const interval = isKnown ? trialInterval.known : trialInterval.unknown;
    if (++size.steps % interval === 0 && this.#heads > 0) {
      size.trial = { drafts: this.#next(size), left: trialSteps };
    }
  }

  /** Expected tokens of a step, for each number of drafts. */
  #expectedTokens(): number[] {
    const expected = [1];
    let probability = 1;
    for (let head = 0; head < this.#heads; head++) {
      const asked = this.#asked[head]!;
      probability *= asked > 0 ? this.#hit[head]! / asked : 0;
      expected.push(expected[head]! + probability);
    }
    return expected;
  }

  /** Before anything was measured, all heads draft. */
  #best({ seconds, chosen }: BatchSize): number {
    const expected = this.#expectedTokens();
    const speed = (drafts: number) => {
      const time = seconds[drafts] ?? null;
      return time === null ? 0 : expected[drafts]! / time;
    };
    let best = chosen;
    for (let drafts = 0; drafts <= this.#heads; drafts++) {
      const margin = best === chosen ? gain : 1;
      if (speed(chosen) > 0 && speed(drafts) > margin * speed(best)) best = drafts;
    }
    return best;
  }

  /** What to try: every other number in turn. */
  #next(size: BatchSize): number {
    do size.tried = (size.tried + this.#heads) % (this.#heads + 1);
    while (size.tried === size.chosen);
    return size.tried;
  }

  #size(sequences: number): BatchSize {
    const exponent = Math.ceil(Math.log2(sequences));
    let size = this.#sizes.get(exponent);
    if (!size) {
      const seconds = new Array<number | null>(this.#heads + 1).fill(null);
      size = { seconds, chosen: this.#heads, steps: 0, tried: this.#heads, trial: null };
      this.#sizes.set(exponent, size);
    }
    return size;
  }
}

interface BatchSize {
  /** Mean time of a step for each number of drafts; null if never measured. */
  seconds: (number | null)[];
  chosen: number;
  steps: number;
  /** The number of the last trial. */
  tried: number;
  trial: { drafts: number; left: number } | null;
}

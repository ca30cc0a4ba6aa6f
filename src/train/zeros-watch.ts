/**
 * Watches num-zeros, the elements of the gradient that are exactly zero. The report steers its SFT by
 * them (section 4.2): rising, more and more experts go without tokens, and balance worsens; falling, the
 * model overfits. Kept flat by the rate of the experts' bias and by AdamW's ε.
 *
 * The rule compares two medians of a window of steps each: of the first steps, once the run has settled,
 * and of the last ones. Between them lies more than noise if it is many deviations of the first window,
 * and it matters if it is a large part of the level itself. Both are asked for, so that neither a quiet
 * run nor a noisy one gives false alarm; medians, so that no single step does.
 */

export interface ZerosWatchOptions {
  /** Steps at the beginning that are not looked at: moments and balance settle. */
  settle: number;
  /** Steps of a window. */
  window: number;
  /** Change that matters, as a part of the first level. */
  change: number;
  /** Change that is no noise, in deviations of the first window. */
  deviations: number;
}

/** What a step has: shares of the gradient's elements, in all and by layer of the trunk. */
export interface ZerosOfStep {
  step: number;
  share: number;
  layers: readonly number[];
}

export interface ZerosWarning {
  step: number;
  direction: 'rising' | 'falling';
  /** Medians of the share. */
  from: number;
  to: number;
  /** The layer of the trunk whose share has moved the most that way; null if there is none. */
  layer: number | null;
}

export class ZerosWatch {
  readonly #options: ZerosWatchOptions;
  readonly #first: ZerosOfStep[] = [];
  readonly #last: ZerosOfStep[] = [];
  #seen = 0;
  /** The direction that was warned of, until the level is back. */
  #warned: ZerosWarning['direction'] | null = null;

  constructor(options: ZerosWatchOptions) {
    this.#options = options;
  }

  /** A warning when a level leaves the first one; the next only after it was back. */
  add(step: ZerosOfStep): ZerosWarning | null {
    const { settle, window } = this.#options;
    if (this.#seen++ < settle) return null;
    if (this.#first.length < window) {
      this.#first.push(step);
      return null;
    }
    this.#last.push(step);
    if (this.#last.length > window) this.#last.shift();
    if (this.#last.length < window) return null;
    const direction = this.#direction();
    const isNew = direction !== null && direction !== this.#warned;
    this.#warned = direction;
    return isNew ? this.#warning(step.step, direction) : null;
  }

  #direction(): ZerosWarning['direction'] | null {
    const { change, deviations } = this.#options;
    const before = this.#first.map(({ share }) => share);
    const level = median(before);
    const moved = median(this.#last.map(({ share }) => share)) - level;
    const noise = deviations * deviationOf(before);
    if (Math.abs(moved) <= Math.max(noise, change * level, smallestChange)) return null;
    return moved > 0 ? 'rising' : 'falling';
  }

  #warning(step: number, direction: ZerosWarning['direction']): ZerosWarning {
    const from = median(this.#first.map(({ share }) => share));
    const to = median(this.#last.map(({ share }) => share));
    const sign = direction === 'rising' ? 1 : -1;
    const at = (steps: readonly ZerosOfStep[], layer: number) =>
      median(steps.map(({ layers }) => layers[layer]!));
    let [layer, most]: [number | null, number] = [null, 0];
    for (let i = 0; i < this.#first[0]!.layers.length; i++) {
      const moved = sign * (at(this.#last, i) - at(this.#first, i));
      if (moved > most) [layer, most] = [i, moved];
    }
    return { step, direction, from, to, layer };
  }
}

/** A warning as a line for people. */
export function describeWarning({ step, direction, from, to, layer }: ZerosWarning): string {
  const percent = (share: number) => `${(100 * share).toPrecision(3)} %`;
  const where = layer === null ? '' : `, most in layer ${layer}`;
  const meaning =
    direction === 'rising'
      ? 'experts starve; raise expertBiasRate or adamw.epsilon, or lower the learning rate'
      : 'the model may overfit; give it more data or fewer steps, or change expertBiasRate or adamw.epsilon';
  return `step ${step}: num-zeros is ${direction}, from ${percent(from)} of the gradient to ${percent(to)}${where}: ${meaning}`;
}

/** Shares below this are a few elements: not an expert, nor a level. */
const smallestChange = 1e-4;

/** The median distance from the median, as the standard deviation of a normal distribution. */
function deviationOf(values: readonly number[]): number {
  const middle = median(values);
  return 1.4826 * median(values.map((value) => Math.abs(value - middle)));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

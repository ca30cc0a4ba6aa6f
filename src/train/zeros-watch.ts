/**
 * Watches num-zeros, the elements of the gradient that are exactly zero. The report steers its SFT by
 * them (section 4.2): rising, more and more experts go without tokens, and balance worsens; falling, the
 * model overfits. Kept flat by the rate of the experts' bias and by AdamW's ε.
 *
 * The rule compares two medians of a window of steps each: of the first steps, once the run has settled,
 * and of the last ones. Between them lies more than noise if it is many deviations of the first window,
 * and it matters if it is a large part of the level itself. Both are asked for, so that neither a quiet
 * run nor a noisy one gives false alarm; medians, so that no single step does.
 *
 * What is spoiled from the first step on has no level to leave, so experts that starve are told of as
 * well: a share of them that has no gradient at all in the median step of a window.
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
  /** Share of the experts without gradient that is too large. */
  starving: number;
}

/** What a step has: shares of the gradient's elements, in all and by layer of the trunk, and of experts. */
export interface ZerosOfStep {
  step: number;
  share: number;
  layers: readonly number[];
  /** Share of the experts without any gradient. */
  starved: number;
}

export type ZerosWarning =
  | {
      step: number;
      kind: 'rising' | 'falling';
      /** Medians of the share. */
      from: number;
      to: number;
      /** The layer of the trunk whose share has moved the most that way; null if there is none. */
      layer: number | null;
    }
  | { step: number; kind: 'starving'; starved: number };

type Kind = ZerosWarning['kind'];

export class ZerosWatch {
  readonly #options: ZerosWatchOptions;
  readonly #first: ZerosOfStep[] = [];
  readonly #last: ZerosOfStep[] = [];
  #seen = 0;
  /** What was warned of, until the level is back. */
  #warned: Kind | null = null;

  constructor(options: ZerosWatchOptions) {
    this.#options = options;
  }

  /** A warning when a level leaves the first one, or experts starve; the next only after it was back. */
  add(step: ZerosOfStep): ZerosWarning | null {
    const { settle, window } = this.#options;
    if (this.#seen++ < settle) return null;
    if (this.#first.length < window) this.#first.push(step);
    this.#last.push(step);
    if (this.#last.length > window) this.#last.shift();
    if (this.#last.length < window) return null;
    const kind = this.#kind();
    const isNew = kind !== null && kind !== this.#warned;
    this.#warned = kind;
    return isNew ? this.#warning(step.step, kind) : null;
  }

  #kind(): Kind | null {
    const { settle, window, change, deviations, starving } = this.#options;
    if (starvedIn(this.#last) > starving) return 'starving';
    const areApart = this.#seen >= settle + 2 * window;
    if (!areApart) return null;
    const before = this.#first.map(({ share }) => share);
    const level = median(before);
    const moved = median(this.#last.map(({ share }) => share)) - level;
    const noise = deviations * deviationOf(before);
    if (Math.abs(moved) <= Math.max(noise, change * level, smallestChange)) return null;
    return moved > 0 ? 'rising' : 'falling';
  }

  #warning(step: number, kind: Kind): ZerosWarning {
    if (kind === 'starving') return { step, kind, starved: starvedIn(this.#last) };
    const from = median(this.#first.map(({ share }) => share));
    const to = median(this.#last.map(({ share }) => share));
    const sign = kind === 'rising' ? 1 : -1;
    const at = (steps: readonly ZerosOfStep[], layer: number) =>
      median(steps.map(({ layers }) => layers[layer]!));
    let [layer, most]: [number | null, number] = [null, 0];
    for (let i = 0; i < this.#first[0]!.layers.length; i++) {
      const moved = sign * (at(this.#last, i) - at(this.#first, i));
      if (moved > most) [layer, most] = [i, moved];
    }
    return { step, kind, from, to, layer };
  }
}

/** A warning as a line for people. */
export function describeWarning(warning: ZerosWarning): string {
  const percent = (share: number) => `${(100 * share).toPrecision(3)} %`;
  if (warning.kind === 'starving') {
    return `step ${warning.step}: ${percent(warning.starved)} of the experts have no gradient: they starve; lower expertBiasRate or the learning rate, or take larger batches`;
  }
  const { step, kind, from, to, layer } = warning;
  const where = layer === null ? '' : `, most in layer ${layer}`;
  const meaning =
    kind === 'rising'
      ? 'experts starve; change expertBiasRate, raise adamw.epsilon, or lower the learning rate'
      : 'the model may overfit; give it more data or fewer steps, or change expertBiasRate or adamw.epsilon';
  return `step ${step}: num-zeros is ${kind}, from ${percent(from)} of the gradient to ${percent(to)}${where}: ${meaning}`;
}

function starvedIn(steps: readonly ZerosOfStep[]): number {
  return median(steps.map(({ starved }) => starved));
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

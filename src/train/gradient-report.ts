/**
 * The size of a step's gradient and how much of it is exactly zero. The report watches `num-zeros`
 * (section 4.2): rising, experts starve; falling, the model overfits. An expert that no token reached
 * has a gradient of zeros alone, so it is counted by expert.
 */
import { isStacked, parameterSize, parameterSpecs } from '../model/parameters.ts';
import type { TrainableModel } from '../model/weights.ts';
import { readFloats } from '../tensor/scope.ts';
import { type Storage, Tensor } from '../tensor/tensor.ts';
import type { Gradients } from './gradients.ts';

export interface GradientReport {
  /** Euclidean norm of the whole gradient, before clipping. */
  norm: number;
  /** Elements that are exactly zero, of `size` in all. */
  zeros: number;
  size: number;
  /** The same by parameter; experts each on their own. */
  parts: GradientPart[];
}

export interface GradientPart {
  /** Name of the parameter. */
  name: string;
  /** Trunk layer it belongs to, if any. */
  layer?: number;
  /** Number of the expert, where the parameter stacks experts. */
  expert?: number;
  norm: number;
  zeros: number;
  size: number;
}

export class GradientMeter {
  readonly #model: TrainableModel;
  readonly #gradients: Gradients;
  readonly #parts: Omit<GradientPart, 'norm' | 'zeros'>[] = [];
  readonly #storage: Storage;

  constructor(model: TrainableModel, gradients: Gradients) {
    this.#model = model;
    this.#gradients = gradients;
    for (const spec of parameterSpecs(model.config)) {
      const { name, layer } = spec;
      if (!gradients.has(model.parameters.get(name)!)) continue;
      const experts = isStacked(spec) ? spec.shape[0]! : 1;
      const size = parameterSize(spec) / experts;
      const part = { name, size, ...(layer !== undefined && { layer }) };
      for (let expert = 0; expert < experts; expert++) {
        this.#parts.push(isStacked(spec) ? { ...part, expert } : part);
      }
    }
    this.#storage = model.device.allocate(this.#parts.length * 8);
  }

  /** Waits for the gradient. */
  async measure(): Promise<GradientReport> {
    const { device } = this.#model;
    const statistics = new Tensor([this.#parts.length, 2], 'f32', this.#storage);
    let begin = 0;
    while (begin < this.#parts.length) {
      const { name } = this.#parts[begin]!;
      let end = begin + 1;
      while (this.#parts[end]?.name === name) end++;
      const x = this.#gradients.get(this.#model.parameters.get(name)!)!;
      device.kernels.gradientStatistics({ x, out: statistics.slice(begin, end) });
      begin = end;
    }
    const values = await readFloats(device, statistics);
    let [squares, zeros, size] = [0, 0, 0];
    const parts = this.#parts.map((part, i) => {
      squares += values[2 * i]!;
      zeros += values[2 * i + 1]!;
      size += part.size;
      return { ...part, norm: Math.sqrt(values[2 * i]!), zeros: values[2 * i + 1]! };
    });
    return { norm: Math.sqrt(squares), zeros, size, parts };
  }

  release(): void {
    this.#model.device.release(this.#storage);
  }
}

/** What a step of any kind tells of its gradient. */
export interface GradientMetrics {
  /** Before clipping. */
  gradientNorm: number;
  /** Elements of the gradient that are exactly zero: the report's num-zeros. */
  numZeros: number;
  /** The same as a share of all its elements. */
  zerosShare: number;
  /** That share for each layer of the trunk. */
  zerosByLayer: number[];
  /** Elements that are zero of each expert, for each layer of experts. */
  zerosByExpert: number[][];
  /** Experts whose whole gradient is zero, over all layers. */
  deadExperts: number;
}

export function gradientMetrics(report: GradientReport): GradientMetrics {
  const { norm, zeros, size } = report;
  return {
    gradientNorm: norm,
    numZeros: zeros,
    zerosShare: zeros / size,
    zerosByLayer: zerosByLayer(report).map((layer) => layer.zeros / layer.size),
    zerosByExpert: zerosByExpert(report),
    deadExperts: [...deadExperts(report).values()].reduce((sum, dead) => sum + dead, 0),
  };
}

/** Elements that are zero and elements in all, of each layer of the trunk. */
export function zerosByLayer({ parts }: GradientReport): { zeros: number; size: number }[] {
  const layers: { zeros: number; size: number }[] = [];
  for (const { layer, zeros, size } of parts) {
    if (layer === undefined) continue;
    layers[layer] ??= { zeros: 0, size: 0 };
    layers[layer].zeros += zeros;
    layers[layer].size += size;
  }
  return layers;
}

/** Elements that are zero of each expert, for each layer of experts in order. */
export function zerosByExpert({ parts }: GradientReport): number[][] {
  const layers = new Map<number, number[]>();
  for (const { layer, expert, zeros } of parts) {
    if (layer === undefined || expert === undefined) continue;
    const experts = layers.get(layer) ?? [];
    layers.set(layer, experts);
    experts[expert] = (experts[expert] ?? 0) + zeros;
  }
  return [...layers.values()];
}

/** For each layer of experts, how many of its experts had no gradient at all. */
export function deadExperts({ parts }: GradientReport): Map<number, number> {
  const alive = new Map<number, Map<number, boolean>>();
  for (const { layer, expert, zeros, size } of parts) {
    if (layer === undefined || expert === undefined) continue;
    const experts = alive.get(layer) ?? new Map<number, boolean>();
    alive.set(layer, experts.set(expert, experts.get(expert) || zeros < size));
  }
  const dead = (experts: Map<number, boolean>) =>
    [...experts.values()].filter((isAlive) => !isAlive).length;
  return new Map([...alive].map(([layer, experts]) => [layer, dead(experts)]));
}

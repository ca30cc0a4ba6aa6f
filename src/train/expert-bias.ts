/**
 * Balance without an auxiliary loss (Wang et al. 2024, arXiv 2408.15664): after each step the
 * selection bias of every expert moves by a fixed amount, up if it had fewer tokens than the mean and
 * down if it had more. The report moves it by 1e-3 in pre-training and 1e-4 in SFT.
 */
import type { ExpertsWeights, TrainableModel } from '../model/weights.ts';
import { readFloats } from '../tensor/scope.ts';

/**
 * bias_i += rate · sign(mean load − load_i), in every layer of experts.
 *
 * @param loads for each layer of experts, in order, the (token, expert) pairs of the whole step [E]
 */
export async function updateExpertBias(
  model: TrainableModel,
  loads: readonly ArrayLike<number>[],
  rate: number,
): Promise<void> {
  const { device } = model;
  await Promise.all(
    expertLayers(model).map(async ({ selectionBias }, layer) => {
      const load = Array.from(loads[layer]!);
      const mean = meanOf(load);
      const bias = await readFloats(device, selectionBias);
      const moved = bias.map((value, expert) => value + rate * Math.sign(mean - load[expert]!));
      device.write(selectionBias.storage, selectionBias.byteOffset, moved);
    }),
  );
}

/** What a step of any kind tells of the balance of its experts, by layer: see `LoadViolation`. */
export interface LoadMetrics {
  maxViolation: number[];
  meanViolation: number[];
}

export function loadMetrics(loads: readonly ArrayLike<number>[]): LoadMetrics {
  const violations = loads.map(loadViolation);
  return {
    maxViolation: violations.map(({ max }) => max),
    meanViolation: violations.map(({ mean }) => mean),
  };
}

/** How far a layer's experts are from equal load; 0 is perfect balance. */
export interface LoadViolation {
  /** The busiest expert's load over the mean, less 1: MaxVio of the paper. */
  max: number;
  /** The mean distance of a load from the mean load, over the mean load. */
  mean: number;
}

export function loadViolation(load: ArrayLike<number>): LoadViolation {
  const values = Array.from(load);
  const mean = meanOf(values);
  if (mean === 0) return { max: 0, mean: 0 };
  return {
    max: Math.max(...values) / mean - 1,
    mean: meanOf(values.map((value) => Math.abs(value - mean))) / mean,
  };
}

/** Adds the loads of a micro-batch to those of the step so far. */
export function addLoads(sums: Float64Array[], loads: readonly Int32Array[]): void {
  loads.forEach((load, layer) => {
    sums[layer] ??= new Float64Array(load.length);
    const sum = sums[layer];
    load.forEach((count, expert) => {
      sum[expert] = sum[expert]! + count;
    });
  });
}

function expertLayers({ layers }: TrainableModel): ExpertsWeights[] {
  return layers.flatMap(({ feedForward }) => (feedForward.kind === 'experts' ? [feedForward] : []));
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * What kernels do that add the output projection of attention at once: each workgroup works out all of a
 * row's attention, in its own memory, and then some columns of the projection.
 */
import type { WeightBits } from '../quantized-weights.ts';
import { laneMemory } from './lanes.ts';
import {
  beginWeights,
  innerElement,
  innerUnits,
  isVector,
  lanesFor,
  type Products,
  sumProducts,
  weightElement,
} from './products.ts';

export interface Projection {
  heads: number;
  valueDim: number;
  /** Columns of `out`. */
  columns: number;
  threads: number;
  subgroupSize: number;
  /** Of the weight. */
  bits: WeightBits;
}

const product = ({ heads, valueDim, threads, subgroupSize, bits }: Projection): Products => {
  const inner = heads * valueDim;
  const lanes = lanesFor(inner, bits);
  return { rows: 1, columns: 1, inner, normed: false, bits, lanes, threads, subgroupSize };
};

/** A head's values are read as they are in memory, and so are all heads together. */
export const canProject = (heads: number, valueDim: number) =>
  isVector(valueDim) === isVector(heads * valueDim);

/** Of the weight. */
export const projectionElement = ({ heads, valueDim, bits }: Projection) =>
  weightElement(heads * valueDim, bits);

/** Workgroups of a row. */
export function projectionGroups(options: Projection): number {
  return Math.ceil(options.columns / (options.threads / product(options).lanes));
}

/** `sums`, over up to `lanes` threads: what else goes through the memory of lanes. */
export function projectionMemory(options: Projection, lanes: number, sums: number): string {
  const own = product(options);
  return /* wgsl */ `
${laneMemory({ ...own, lanes: Math.max(lanes, own.lanes) }, Math.max(1, sums))}
var<workgroup> mixed: array<${innerElement(own.inner)}, ${innerUnits(own.inner)}>;`;
}

/** Adds `mixed` times `weight` to the row `group.y` of `out`; columns by `group.x`. */
export function addProjection(options: Projection): string {
  const { columns, threads } = options;
  const own = product(options);
  return /* wgsl */ `
  workgroupBarrier();
  let lane = thread % ${own.lanes}u;
  let outColumn = group.x * ${threads / own.lanes}u + thread / ${own.lanes}u;
  let rowBegin0 = 0u;
  ${beginWeights(own, 0, `min(outColumn, ${columns - 1}u)`)}
  ${sumProducts(own, { x: 'mixed', weights: ['weight'] })}
  if (lane == 0u && outColumn < ${columns}u) { out[group.y * ${columns}u + outColumn] += sum0x0; }`;
}

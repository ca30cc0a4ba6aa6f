/**
 * Matrix units: what multiplies small f16 matrices into f32 sums in one instruction of a subgroup. In
 * WebGPU they are a draft, `subgroup-matrix`, today offered by Dawn as an experimental feature. What the
 * draft may still change is in this file: how sizes are asked for, and the WGSL of types and calls.
 */

/** Sizes of one product: out [rows, columns] += A [rows, inner] · B [inner, columns]. */
export interface MatrixUnits {
  rows: number;
  columns: number;
  inner: number;
  /** Threads that work on one product together. */
  subgroupSize: number;
}

const feature = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;

/** Features that programs on matrix units need. */
export const matrixUnitFeatures = ['shader-f16', 'subgroups', feature] as GPUFeatureName[];

/** Directives at the beginning of such a program. */
export const matrixUnitDirectives = [
  'enable f16;',
  'enable subgroups;',
  'enable chromium_experimental_subgroup_matrix;',
  'diagnostic(off, chromium.subgroup_matrix_uniformity);',
];

/** What the draft adds to the adapter's info. */
interface DraftInfo {
  subgroupMinSize?: number;
  subgroupMaxSize?: number;
  subgroupMatrixConfigs?: Iterable<{
    M: number;
    N: number;
    K: number;
    componentType: string;
    resultComponentType: string;
  }>;
}

/** The largest units for f16 with f32 sums; null if there are none. */
export function findMatrixUnits(adapter: GPUAdapter): MatrixUnits | null {
  if (!matrixUnitFeatures.every((name) => adapter.features.has(name))) return null;
  const info = adapter.info as unknown as DraftInfo;
  // Work is dealt out to subgroups when a program is compiled, so their size must be known.
  if (!info.subgroupMinSize || info.subgroupMinSize !== info.subgroupMaxSize) return null;
  const subgroupSize = info.subgroupMinSize;
  const units = [...(info.subgroupMatrixConfigs ?? [])]
    .filter((each) => each.componentType === 'f16' && each.resultComponentType === 'f32')
    // The tiles of `unit-tile.ts` are multiples of 16.
    .filter((each) => [each.M, each.N, each.K].every((size) => 16 % size === 0))
    .map(({ M, N, K }) => ({ rows: M, columns: N, inner: K, subgroupSize }));
  const volume = (each: MatrixUnits) => each.rows * each.columns * each.inner;
  return units.sort((a, b) => volume(b) - volume(a))[0] ?? null;
}

/** WGSL of a matrix's type. */
export function unitType(units: MatrixUnits, role: 'left' | 'right' | 'result'): string {
  const { rows, columns, inner } = units;
  if (role === 'left') return `subgroup_matrix_left<f16, ${inner}, ${rows}>`;
  if (role === 'right') return `subgroup_matrix_right<f16, ${columns}, ${inner}>`;
  return `subgroup_matrix_result<f32, ${columns}, ${rows}>`;
}

export type Layout = 'row_major' | 'col_major';

/** Reads a matrix from an array of its elements; `stride` lies between its rows, or columns. */
export function loadUnit(
  type: string,
  layout: Layout,
  array: string,
  offset: string,
  stride: string,
): string {
  return `subgroupMatrixLoad<${type}, ${layout}>(&${array}, ${offset}, ${stride})`;
}

export function storeUnit(array: string, offset: string, value: string, stride: string): string {
  return `subgroupMatrixStore<row_major>(&${array}, ${offset}, ${value}, ${stride})`;
}

export function multiplyUnits(left: string, right: string, sum: string): string {
  return `subgroupMatrixMultiplyAccumulate(${left}, ${right}, ${sum})`;
}

/** Every element times a number. */
export function scaleUnit(value: string, factor: string): string {
  return `subgroupMatrixScalarMultiply(${value}, ${factor})`;
}

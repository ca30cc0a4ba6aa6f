/**
 * The inner loop of a matrix product on matrix units: like `tile.ts`, with operands rounded to f16 on
 * their way into workgroup memory (see `unit-loader.ts`) and sums in f32. Stored rows of `a`, `b` and
 * `out` are multiples of four long.
 *
 * Each subgroup owns a block of the tile and keeps its sums in registers. While a slice is worked on,
 * the next is on its way into registers.
 */
import { loadUnit, multiplyUnits, scaleUnit, storeUnit, unitType } from '../../matrix-units.ts';
import { unroll } from '../../program.ts';
import { regionType } from './tile.ts';
import {
  declareSlices,
  loaderOf,
  type OperandOptions,
  operandUnit,
  tileDepth,
  unitTileSize,
} from './unit-loader.ts';

export { unitTileSize };

/**
 * The tile of a workgroup: four subgroups, each with a quarter. Of a dozen shapes tried on an H100 this
 * was the fastest: more subgroups read more from workgroup memory for each product, and two buffers
 * for the slices cost more than the barrier that they save.
 */
const [subgroupsDown, subgroupsAcross] = [2, 2];
const [blockRows, blockColumns] = [unitTileSize / subgroupsDown, unitTileSize / subgroupsAcross];

export interface UnitTileOptions extends OperandOptions {
  /** What the product is added to: what `out` holds, or the array `residual` of the same shape. */
  addend: 'out' | 'residual' | null;
}

export const unitTileThreads = ({ units }: OperandOptions) =>
  units.subgroupSize * subgroupsDown * subgroupsAcross;

/** Whether a product can run here; less than one unit has no place. */
export function fitsUnits(
  out: { rows: number; columns: number },
  vectors: Record<string, boolean>,
): boolean {
  return out.rows >= 16 && out.columns >= 16 && Object.values(vectors).every(Boolean);
}

export function unitTileHead(options: UnitTileOptions): string {
  const { rows, columns } = options.units;
  return /* wgsl */ `
${unitSumsHead(options)}
var<workgroup> edge: array<f32, ${rows * columns * subgroupsDown * subgroupsAcross}>;`;
}

export const unitSumsHead = (options: OperandOptions) =>
  `${declareSlices(options, unitTileThreads(options))}\n${regionType}`;

/** The body of `main`, after a region `r` that is the same for the whole workgroup. */
export function unitTileBody(options: UnitTileOptions): string {
  const { units, addend, scaled } = options;
  const { result, each, rescale } = blockOf(options);
  const outAt = (i: number, j: number) =>
    `origin + ${i * units.rows}u * r.outStride + ${j * units.columns}u`;
  const size = units.rows * units.columns;
  const addUp = addend
    ? /* wgsl */ `
  if (whole) {
    ${each((i, j) => `sum${i}_${j} = ${loadUnit(result, 'row_major', addend, outAt(i, j), 'r.outStride')};`)}
    ${scaled ? rescale('p.scale') : ''}
  }`
    : '';
  return /* wgsl */ `
  ${unitBlock(options)}
  let origin = r.outBase + (r.rowBegin + blockRow) * r.outStride + r.columnBegin + blockColumn;
  let whole = r.rowBegin + ${unitTileSize}u <= r.rowEnd && r.columnBegin + ${unitTileSize}u <= r.columnEnd;
  ${unitSums(options, addUp)}
  if (whole) {
    ${each((i, j) => `${storeUnit('out', outAt(i, j), `sum${i}_${j}`, 'r.outStride')};`)}
    return;
  }
  // A tile over the edge goes through workgroup memory, one product of each subgroup at a time.
  let corner = subgroup * ${size}u;
  ${each(
    (i, j) => /* wgsl */ `
  workgroupBarrier();
  ${storeUnit('edge', 'corner', `sum${i}_${j}`, `${units.columns}u`)};
  workgroupBarrier();
  for (var at = thread % ${units.subgroupSize}u; at < ${size}u; at += ${units.subgroupSize}u) {
    let row = r.rowBegin + blockRow + ${i * units.rows}u + at / ${units.columns}u;
    let column = r.columnBegin + blockColumn + ${j * units.columns}u + at % ${units.columns}u;
    if (row < r.rowEnd && column < r.columnEnd) {
      let place = r.outBase + row * r.outStride + column;
      out[place] = ${addend ? `${addend}[place] + ` : ''}edge[corner + at];
    }
  }`,
  )}`;
}

/** A subgroup's block: i counts its units down, j across. */
function blockOf({ units }: OperandOptions) {
  const [down, across] = [blockRows / units.rows, blockColumns / units.columns];
  const each = (piece: (i: number, j: number) => string) =>
    unroll(down * across, (n) => piece(Math.floor(n / across), n % across));
  const rescale = (factor: string) =>
    each((i, j) => `sum${i}_${j} = ${scaleUnit(`sum${i}_${j}`, factor)};`);
  return { down, across, result: unitType(units, 'result'), each, rescale };
}

/** The subgroup that a thread belongs to, and where its block begins in the tile. */
export const unitBlock = ({ units }: OperandOptions) => /* wgsl */ `
  let subgroup = thread / ${units.subgroupSize}u;
  let blockRow = subgroup / ${subgroupsAcross}u * ${blockRows}u;
  let blockColumn = subgroup % ${subgroupsAcross}u * ${blockColumns}u;`;

/** Sums up the subgroup's block in `sum0_0`, …, after statements that may give sums a first value. */
export function unitSums(options: OperandOptions, first = ''): string {
  const { units, scaled } = options;
  const { down, across, result, each, rescale } = blockOf(options);
  const threads = unitTileThreads(options);
  const rowOf = (i: number) => `blockRow + ${i * units.rows}u`;
  const columnOf = (j: number) => unitColumn(options, j);
  const multiply = unroll(tileDepth / units.inner, (step) => {
    const k = step * units.inner;
    return /* wgsl */ `{
      ${unroll(down, (i) => `let a${i} = ${operandUnit(options, 'a', threads, rowOf(i), k)};`)}
      ${unroll(across, (j) => `let b${j} = ${operandUnit(options, 'b', threads, columnOf(j), k)};`)}
      ${each((i, j) => `sum${i}_${j} = ${multiplyUnits(`a${i}`, `b${j}`, `sum${i}_${j}`)};`)}
    }`;
  });
  const product = (useSecond: boolean) => {
    const loaders = (['a', 'b'] as const).map((matrix) =>
      loaderOf(options, matrix, { threads, useSecond }),
    );
    const load = (from: string) => loaders.map((loader) => loader.load(from)).join('\n');
    return /* wgsl */ `{
  ${loaders.map(({ begin }) => begin).join('\n')}
  ${load('r.innerBegin')}
  for (var inner = r.innerBegin; inner < r.innerEnd; inner += ${tileDepth}u) {
    workgroupBarrier();
    ${loaders.map(({ place }) => place).join('\n')}
    workgroupBarrier();
    if (inner + ${tileDepth}u < r.innerEnd) { ${load(`(inner + ${tileDepth}u)`)} }
    ${multiply}
  }
  }`;
  };
  return /* wgsl */ `
  ${each((i, j) => `var sum${i}_${j}: ${result};`)}
  ${first}
  ${product(false)}
  ${options.second === 'sum' ? product(true) : ''}
  ${scaled ? rescale('1.0 / p.scale') : ''}`;
}

/** Where the units of column j of a block begin in the tile; of two halves, a block has the same of both. */
function unitColumn({ units, second }: OperandOptions, j: number): string {
  if (second !== 'columns') return `blockColumn + ${j * units.columns}u`;
  const perWeight = blockColumns / units.columns / 2;
  const half = Math.floor(j / perWeight) * (unitTileSize / 2);
  return `blockColumn / 2u + ${half + (j % perWeight) * units.columns}u`;
}

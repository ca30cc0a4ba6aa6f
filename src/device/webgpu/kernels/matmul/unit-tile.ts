/**
 * The inner loop of a matrix product on matrix units: like `tile.ts`, with operands rounded to f16 on
 * their way into workgroup memory and sums in f32. Stored rows of `a`, `b` and `out` are multiples of four long.
 *
 * Slices keep the order that they have in memory; the units read them along either direction. Rows of a
 * slice are padded by 16 bytes, so that eight neighbouring rows lie in different banks. Each subgroup
 * owns a block of the tile and keeps its sums in registers. While a slice is worked on, the next is on
 * its way into registers.
 */
import {
  loadUnit,
  type MatrixUnits,
  multiplyUnits,
  scaleUnit,
  storeUnit,
  unitType,
} from '../../matrix-units.ts';
import { unroll } from '../../program.ts';
import { regionType } from './tile.ts';

/**
 * The tile of a workgroup: four subgroups, each with a quarter. Of a dozen shapes tried on an H100 this
 * was the fastest: more subgroups read more from workgroup memory for each product, and two buffers
 * for the slices cost more than the barrier that they save.
 */
export const unitTileSize = 128;
const tileDepth = 32;
const [subgroupsDown, subgroupsAcross] = [2, 2];

export interface UnitTileOptions {
  units: MatrixUnits;
  /** `a` is [K,M] in memory, not [M,K]. */
  transposeA: boolean;
  /** `b` is [N,K] in memory, not [K,N]. */
  transposeB: boolean;
  accumulate: boolean;
  /** Whether `a` is multiplied by the parameter `scale` before it is rounded, and the product divided. */
  scaled: boolean;
}

export const unitTileThreads = ({ units }: UnitTileOptions) =>
  units.subgroupSize * subgroupsDown * subgroupsAcross;

/** Elements between the rows of a slice. */
const padding = 8;
/** Slices are arrays of quads, and offsets and strides of units count those. */
const quad = 4;

/** Whether a product can run here; less than one unit has no place. */
export function fitsUnits(
  out: { rows: number; columns: number },
  vectors: Record<string, boolean>,
): boolean {
  return out.rows >= 16 && out.columns >= 16 && Object.values(vectors).every(Boolean);
}

/** How a slice of one operand lies in memory and in workgroup memory, and how threads share it. */
function sliceOf(options: UnitTileOptions, matrix: 'a' | 'b') {
  const innerFirst = matrix === 'a' ? !options.transposeA : options.transposeB;
  const [width, height] = innerFirst ? [tileDepth, unitTileSize] : [unitTileSize, tileDepth];
  const quadsPerRow = width / quad;
  const threads = unitTileThreads(options);
  const stride = (width + padding) / quad;
  return {
    innerFirst,
    stride,
    quads: stride * height,
    /** Quads of each thread: all in one column, `rowsApart` from one to the next. */
    loads: (quadsPerRow * height) / threads,
    rowsApart: threads / quadsPerRow,
    /** A thread's column of quads, and the row of its first. */
    column: `thread % ${quadsPerRow}u`,
    row: `thread / ${quadsPerRow}u`,
  };
}

export function unitTileHead(options: UnitTileOptions): string {
  const { rows, columns } = options.units;
  return /* wgsl */ `
var<workgroup> aSlice: array<vec4<f16>, ${sliceOf(options, 'a').quads}>;
var<workgroup> bSlice: array<vec4<f16>, ${sliceOf(options, 'b').quads}>;
var<workgroup> edge: array<f32, ${rows * columns * subgroupsDown * subgroupsAcross}>;
${regionType}`;
}

/**
 * Loading of an operand's slices, one after another along the inner dimension. Where a thread's quads
 * lie is worked out once, before the loop: that made products half as fast again. A quad beyond the
 * inner dimension is zeros; one beyond the edge of the tile repeats the last, since it adds only to
 * sums that are not stored.
 */
function loaderOf(options: UnitTileOptions, matrix: 'a' | 'b') {
  const { innerFirst, stride, loads, rowsApart, column, row } = sliceOf(options, matrix);
  const outer = matrix === 'a' ? 'row' : 'column';
  const [begin, end] = [`r.${outer}Begin`, `r.${outer}End`];
  const [base, memoryStride] = [`r.${matrix}Base`, `r.${matrix}Stride`];
  const at = (i: number) =>
    innerFirst
      ? `${matrix}Row${i} + ${matrix}Next`
      : `${matrix}Next + ${i * rowsApart}u * ${memoryStride} / 4u`;
  const inner = (i: number) => (innerFirst ? `(${column}) * 4u` : `${row} + ${i * rowsApart}u`);
  const scaled = options.scaled && matrix === 'a' ? ' * p.scale' : '';
  const each = (piece: (i: number) => string) => unroll(loads, piece);
  return {
    begin: innerFirst
      ? /* wgsl */ `
  ${each((i) => `let ${matrix}Row${i} = (${base} + min(${begin} + ${row} + ${i * rowsApart}u, ${end} - 1u) * ${memoryStride}) / 4u;`)}
  let ${matrix}Step = ${tileDepth / quad}u;
  var ${matrix}Next = r.innerBegin / 4u + ${column};
  ${each((i) => `var ${matrix}Loaded${i}: vec4f;`)}`
      : /* wgsl */ `
  let ${matrix}Step = ${tileDepth}u * ${memoryStride} / 4u;
  var ${matrix}Next = (${base} + (r.innerBegin + ${row}) * ${memoryStride}) / 4u + min(${begin} / 4u + ${column}, ${end} / 4u - 1u);
  ${each((i) => `var ${matrix}Loaded${i}: vec4f;`)}`,
    /** Reads the slice at `from` into registers. */
    load: (from: string) => /* wgsl */ `
    ${each((i) => `${matrix}Loaded${i} = vec4f(); if (${from} + ${inner(i)} < r.innerEnd) { ${matrix}Loaded${i} = ${matrix}[${at(i)}]; }`)}
    ${matrix}Next += ${matrix}Step;`,
    /** Rounds it into workgroup memory. */
    place: each(
      (i) =>
        `${matrix}Slice[(${row} + ${i * rowsApart}u) * ${stride}u + ${column}] = vec4<f16>(${matrix}Loaded${i}${scaled});`,
    ),
  };
}

/** The body of `main`, after a region `r` that is the same for the whole workgroup. */
export function unitTileBody(options: UnitTileOptions): string {
  const { units, accumulate, scaled } = options;
  const loaders = (['a', 'b'] as const).map((matrix) => loaderOf(options, matrix));
  const [blockRows, blockColumns] = [unitTileSize / subgroupsDown, unitTileSize / subgroupsAcross];
  const [down, across] = [blockRows / units.rows, blockColumns / units.columns];
  const result = unitType(units, 'result');
  const each = (piece: (i: number, j: number) => string) =>
    unroll(down * across, (n) => piece(Math.floor(n / across), n % across));
  const load = (from: string) => loaders.map((loader) => loader.load(from)).join('\n');
  const multiply = unroll(tileDepth / units.inner, (step) => {
    const k = step * units.inner;
    return /* wgsl */ `{
      ${unroll(down, (i) => `let a${i} = ${operand(options, 'a', `blockRow + ${i * units.rows}u`, k)};`)}
      ${unroll(across, (j) => `let b${j} = ${operand(options, 'b', `blockColumn + ${j * units.columns}u`, k)};`)}
      ${each((i, j) => `sum${i}_${j} = ${multiplyUnits(`a${i}`, `b${j}`, `sum${i}_${j}`)};`)}
    }`;
  });
  const outAt = (i: number, j: number) =>
    `origin + ${i * units.rows}u * r.outStride + ${j * units.columns}u`;
  const size = units.rows * units.columns;
  const rescale = (factor: string) =>
    each((i, j) => `sum${i}_${j} = ${scaleUnit(`sum${i}_${j}`, factor)};`);

  return /* wgsl */ `
  let subgroup = thread / ${units.subgroupSize}u;
  let blockRow = subgroup / ${subgroupsAcross}u * ${blockRows}u;
  let blockColumn = subgroup % ${subgroupsAcross}u * ${blockColumns}u;
  let origin = r.outBase + (r.rowBegin + blockRow) * r.outStride + r.columnBegin + blockColumn;
  let whole = r.rowBegin + ${unitTileSize}u <= r.rowEnd && r.columnBegin + ${unitTileSize}u <= r.columnEnd;
  ${each((i, j) => `var sum${i}_${j}: ${result};`)}
  ${
    accumulate
      ? `if (whole) {
    ${each((i, j) => `sum${i}_${j} = ${loadUnit(result, 'row_major', 'out', outAt(i, j), 'r.outStride')};`)}
    ${scaled ? rescale('p.scale') : ''}
  }`
      : ''
  }
  ${loaders.map(({ begin }) => begin).join('\n')}
  ${load('r.innerBegin')}
  for (var inner = r.innerBegin; inner < r.innerEnd; inner += ${tileDepth}u) {
    workgroupBarrier();
    ${loaders.map(({ place }) => place).join('\n')}
    workgroupBarrier();
    if (inner + ${tileDepth}u < r.innerEnd) { ${load(`(inner + ${tileDepth}u)`)} }
    ${multiply}
  }
  ${scaled ? rescale('1.0 / p.scale') : ''}
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
      out[r.outBase + row * r.outStride + column] ${accumulate ? '+=' : '='} edge[corner + at];
    }
  }`,
  )}`;
}

/** A unit's operand from its slice: the product at `outer`, from inner index k on. */
function operand(options: UnitTileOptions, matrix: 'a' | 'b', outer: string, k: number): string {
  const { innerFirst, stride } = sliceOf(options, matrix);
  const type = unitType(options.units, matrix === 'a' ? 'left' : 'right');
  const layout = innerFirst === (matrix === 'a') ? 'row_major' : 'col_major';
  const offset = innerFirst
    ? `(${outer}) * ${stride}u + ${k / quad}u`
    : `${k * stride}u + (${outer}) / ${quad}u`;
  return loadUnit(type, layout, `${matrix}Slice`, offset, `${stride}u`);
}

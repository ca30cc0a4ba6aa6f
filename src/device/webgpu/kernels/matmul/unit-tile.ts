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

/** How a slice of one operand lies in workgroup memory. */
function sliceOf(options: UnitTileOptions, matrix: 'a' | 'b') {
  const innerFirst = matrix === 'a' ? !options.transposeA : options.transposeB;
  const [width, height] = innerFirst ? [tileDepth, unitTileSize] : [unitTileSize, tileDepth];
  const stride = (width + padding) / quad;
  return { innerFirst, quadsPerRow: width / quad, stride, quads: stride * height };
}

export function unitTileHead(options: UnitTileOptions): string {
  const { rows, columns } = options.units;
  return /* wgsl */ `
var<workgroup> aSlice: array<vec4<f16>, ${sliceOf(options, 'a').quads}>;
var<workgroup> bSlice: array<vec4<f16>, ${sliceOf(options, 'b').quads}>;
var<workgroup> edge: array<f32, ${rows * columns * subgroupsDown * subgroupsAcross}>;
${regionType}
${quadLoader(options, 'a', 'row')}
${quadLoader(options, 'b', 'column')}`;
}

/** Four elements in a row of memory of the slice at `inner`, and their place; zeros outside of `r`. */
function quadLoader(options: UnitTileOptions, matrix: 'a' | 'b', outer: 'row' | 'column'): string {
  const { innerFirst, quadsPerRow, stride } = sliceOf(options, matrix);
  const name = matrix.toUpperCase();
  const [along, down] = [`index % ${quadsPerRow}u`, `index / ${quadsPerRow}u`];
  const [o, k] = innerFirst ? [down, `${along} * 4u`] : [`${along} * 4u`, down];
  const [row, column] = innerFirst ? ['o', 'k'] : ['k', 'o'];
  return /* wgsl */ `
fn load${name}(r: Region, inner: u32, index: u32) -> vec4f {
  let o = r.${outer}Begin + ${o};
  let k = inner + ${k};
  if (o >= r.${outer}End || k >= r.innerEnd) { return vec4f(); }
  return ${matrix}[(r.${matrix}Base + ${row} * r.${matrix}Stride + ${column}) / 4u];
}
fn place${name}(index: u32) -> u32 { return ${down} * ${stride}u + ${along}; }`;
}

/** The body of `main`, after a region `r` that is the same for the whole workgroup. */
export function unitTileBody(options: UnitTileOptions): string {
  const { units, accumulate, scaled } = options;
  const threads = unitTileThreads(options);
  const [blockRows, blockColumns] = [unitTileSize / subgroupsDown, unitTileSize / subgroupsAcross];
  const [down, across] = [blockRows / units.rows, blockColumns / units.columns];
  const result = unitType(units, 'result');
  const each = (piece: (i: number, j: number) => string) =>
    unroll(down * across, (n) => piece(Math.floor(n / across), n % across));
  // Each thread's quads of a slice of either operand.
  const eachQuad = (piece: (name: string, matrix: string, i: number, index: string) => string) =>
    unroll((unitTileSize * tileDepth) / quad / threads, (i) =>
      ['a', 'b'].map((m) => piece(m.toUpperCase(), m, i, `thread + ${i * threads}u`)).join('\n'),
    );
  const load = (inner: string) =>
    eachQuad((name, m, i, index) => `${m}Loaded${i} = load${name}(r, ${inner}, ${index});`);
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
  ${eachQuad((_, m, i) => `var ${m}Loaded${i}: vec4f;`)}
  ${load('r.innerBegin')}
  for (var inner = r.innerBegin; inner < r.innerEnd; inner += ${tileDepth}u) {
    workgroupBarrier();
    ${eachQuad((name, m, i, index) => `${m}Slice[place${name}(${index})] = vec4<f16>(${m}Loaded${i}${scaled && m === 'a' ? ' * p.scale' : ''});`)}
    workgroupBarrier();
    if (inner + ${tileDepth}u < r.innerEnd) { ${load(`inner + ${tileDepth}u`)} }
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

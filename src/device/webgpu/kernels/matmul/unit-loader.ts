/**
 * The way of operands to matrix units: slices of 128 by 32 elements go from memory through registers,
 * where they are rounded to f16, to workgroup memory, in the order that they have in memory; the units
 * read them along either direction. Rows of a slice are padded by 16 bytes, so that eight neighbouring
 * rows lie in different banks.
 *
 * Where a thread's quads of a slice lie is worked out once, before the loop over slices: that made
 * products half as fast again.
 */
import { loadUnit, type MatrixUnits, unitType } from '../../matrix-units.ts';
import { unroll } from '../../program.ts';
import { isQuantized, type TileWeights, tileWeightReader } from '../quantized-weights.ts';

export const unitTileSize = 128;
export const tileDepth = 32;
/** Slices are arrays of quads, and offsets and strides of units count those. */
const quad = 4;
const padding = 8;

export interface OperandOptions extends TileWeights {
  units: MatrixUnits;
  /** `a` is [K,M] in memory, not [M,K]. */
  transposeA: boolean;
  /** `b` is [N,K] in memory, not [K,N]. */
  transposeB: boolean;
  /** Whether `a` is multiplied by the parameter `scale` before it is rounded. */
  scaled: boolean;
  /** The operand whose stored row s is the one that the array `rowNumbers` names at s, if any. */
  gathered: 'a' | 'b' | null;
  /**
   * What there is of a second product: 'columns', the second half of the tile's columns, which are the
   * same columns of `secondB`; 'sum', secondA·secondB, which is added.
   */
  second: 'columns' | 'sum' | null;
}

type Operand = 'a' | 'b';

/** How a slice lies in memory and in workgroup memory, and how `threads` share it. */
function sliceOf(options: OperandOptions, matrix: Operand, threads: number) {
  const innerFirst = matrix === 'a' ? !options.transposeA : options.transposeB;
  const [width, height] = innerFirst ? [tileDepth, unitTileSize] : [unitTileSize, tileDepth];
  const quadsPerRow = width / quad;
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

export function declareSlices(options: OperandOptions, threads: number): string {
  const declare = (matrix: Operand) =>
    `var<workgroup> ${matrix}Slice: array<vec4<f16>, ${sliceOf(options, matrix, threads).quads}>;`;
  return `${declare('a')}\n${declare('b')}\n${tileWeightReader(options)}`;
}

/**
 * Loading of an operand's slices, one after another along the inner dimension. A quad beyond the inner
 * dimension is zeros; one beyond the edge of the tile repeats the last, since it adds only to sums that
 * are not stored. `useSecond`: of the second product.
 */
export function loaderOf(
  options: OperandOptions,
  matrix: Operand,
  { threads, useSecond }: { threads: number; useSecond: boolean },
) {
  const { innerFirst, stride, loads, rowsApart, column, row } = sliceOf(options, matrix, threads);
  const outer = matrix === 'a' ? 'row' : 'column';
  const [begin, end] = [`r.${outer}Begin`, `r.${outer}End`];
  const [base, memoryStride] = [`r.${matrix}Base`, `r.${matrix}Stride`];
  const paired = matrix === 'b' && options.second === 'columns';
  const gathered = options.gathered === matrix;
  const each = (piece: (i: number) => string) => unroll(loads, piece);
  const perWeight = paired ? loads / 2 : loads;
  const secondArray = `second${matrix.toUpperCase()}`;
  const quadAt = (i: number, place: string) => {
    if (useSecond || i >= perWeight) return `${secondArray}[${place}]`;
    if (matrix === 'a' || !isQuantized(options)) return `${matrix}[${place}]`;
    const perRow = options.inner! / quad;
    return `weightsAt((${place}) / ${perRow}u, (${place}) % ${perRow}u * 4u)`;
  };
  const inner = (i: number) => (innerFirst ? `(${column}) * 4u` : `${row} + ${i * rowsApart}u`);
  const scaled = options.scaled && matrix === 'a' ? ' * p.scale' : '';

  /** Where a thread's quads begin, where they are from one slice to the next, and quad i of a slice. */
  const places = () => {
    if (innerFirst) {
      const rowBegin = (i: number) => {
        const index = `min(${begin} + ${row} + ${(i % perWeight) * rowsApart}u, ${end} - 1u)`;
        const number = gathered ? `rowNumbers[${index}]` : index;
        return `let ${matrix}Row${i} = (${base} + ${number} * ${memoryStride}) / 4u;`;
      };
      return {
        rows: each(rowBegin),
        next: `r.innerBegin / 4u + ${column}`,
        step: `${tileDepth / quad}u`,
        at: (i: number) => `${matrix}Row${i} + ${matrix}Next`,
      };
    }
    const across = `min(${begin} / 4u + ${column}, ${end} / 4u - 1u)`;
    if (gathered) {
      return {
        rows: each((i) => `var ${matrix}Number${i} = 0u;`) + numbers('r.innerBegin'),
        next: `${base} / 4u + ${across}`,
        step: '0u',
        at: (i: number) => `${matrix}Next + ${matrix}Number${i} * ${memoryStride} / 4u`,
      };
    }
    return {
      rows: '',
      next: `(${base} + (r.innerBegin + ${row}) * ${memoryStride}) / 4u + ${across}`,
      step: `${tileDepth}u * ${memoryStride} / 4u`,
      at: (i: number) => `${matrix}Next + ${i * rowsApart}u * ${memoryStride} / 4u`,
    };
  };
  /** Row numbers of the slice at `from`: known a slice ahead, so that nothing waits for them. */
  const numbers = (from: string) =>
    each(
      (i) =>
        `if (${from} + ${inner(i)} < r.innerEnd) { ${matrix}Number${i} = rowNumbers[${from} + ${inner(i)}]; }`,
    );
  const { rows, next, step, at } = places();
  return {
    begin: /* wgsl */ `
  ${rows}
  var ${matrix}Next = ${next};
  let ${matrix}Step = ${step};
  ${each((i) => `var ${matrix}Loaded${i}: vec4f;`)}`,
    /** Reads the slice at `from` into registers. */
    load: (from: string) => /* wgsl */ `
    ${each((i) => `${matrix}Loaded${i} = vec4f(); if (${from} + ${inner(i)} < r.innerEnd) { ${matrix}Loaded${i} = ${quadAt(i, at(i))}; }`)}
    ${matrix}Next += ${matrix}Step;
    ${gathered && !innerFirst ? numbers(`${from} + ${tileDepth}u`) : ''}`,
    /** Rounds it into workgroup memory. */
    place: each(
      (i) =>
        `${matrix}Slice[(${row} + ${i * rowsApart}u) * ${stride}u + ${column}] = vec4<f16>(${matrix}Loaded${i}${scaled});`,
    ),
  };
}

/** A unit's operand from its slice: the product at `outer` in the tile, from inner index k on. */
export function operandUnit(
  options: OperandOptions,
  matrix: Operand,
  threads: number,
  outer: string,
  k: number,
): string {
  const { innerFirst, stride } = sliceOf(options, matrix, threads);
  const type = unitType(options.units, matrix === 'a' ? 'left' : 'right');
  const layout = innerFirst === (matrix === 'a') ? 'row_major' : 'col_major';
  const offset = innerFirst
    ? `(${outer}) * ${stride}u + ${k / quad}u`
    : `${k * stride}u + (${outer}) / ${quad}u`;
  return loadUnit(type, layout, `${matrix}Slice`, offset, `${stride}u`);
}

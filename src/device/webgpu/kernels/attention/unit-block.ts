/**
 * What attention on matrix units has in common: operands are rounded to f16 and sums are f32.
 *
 * A workgroup holds 64 rows on the left (queries or keys) and walks over those on the right (keys or
 * queries), 64 at a time; each of its four subgroups has 16 of the left rows, whose elements and sums
 * stay in registers. The units' results can be looked into only through workgroup memory: there, each
 * lane takes a part of one row of a subgroup's 16×32 scores and makes weights of them, which the units
 * multiply the right rows with.
 *
 * Query rows count the heads that share a key head: row r of a block is token ⌊r/group⌋ of it.
 */
import {
  loadUnit,
  type MatrixUnits,
  multiplyUnits,
  storeUnit,
  unitType,
} from '../../matrix-units.ts';
import { unroll } from '../../program.ts';
import { type Heads, tokensPerBlock } from './tile.ts';

export interface UnitHeads extends Heads {
  units: MatrixUnits;
}

/** Rows on the left, and those on the right that are in workgroup memory at once. */
export const blockRows = 64;
/** Right rows whose scores are worked on at once. */
export const scoreColumns = 32;
const subgroups = 4;
const unitSize = 16;

/** Whether heads are made of whole units, and rows of scores of whole lanes. */
export function headsFitUnits({ keyDim, valueDim }: Heads, units: MatrixUnits): boolean {
  const { rows, columns, inner, subgroupSize } = units;
  return (
    [rows, columns, inner].every((size) => size === unitSize) &&
    [16, 32, 64].includes(subgroupSize) &&
    [keyDim, valueDim].every((size) => size % unitSize === 0) &&
    // Both kinds of rows, 64 of each, must fit workgroup memory beside the scores.
    keyDim + valueDim <= 160
  );
}

export const unitThreads = ({ units }: UnitHeads) => subgroups * units.subgroupSize;

/** Arrays are of quads, four elements, and so are offsets and strides of units in them. */
export const quadsOf = (elements: number) => elements / 4;
/** Padding, so that neighbouring rows lie in different banks of workgroup memory. */
export const sliceStride = (size: number) => quadsOf(size + 8);
const scoreStride = quadsOf(scoreColumns + 4);
const weightStride = sliceStride(scoreColumns);
const lanesPerRow = ({ units }: UnitHeads) => units.subgroupSize / unitSize;
const scoreQuads = (options: UnitHeads) => quadsOf(scoreColumns) / lanesPerRow(options);

/**
 * Shapes as constants, and workgroup memory. `firstSlice` is for rows of query or key, `secondSlice`
 * for rows of value or of the output's gradient: first those on the left, which move to registers, and
 * then those on the right.
 */
export function unitMemory(options: UnitHeads): string {
  const { heads, keyValueHeads, keyDim, valueDim } = options;
  return /* wgsl */ `
const heads = ${heads}u;
const keyValueHeads = ${keyValueHeads}u;
const sharing = ${heads / keyValueHeads}u;
const blockTokens = ${tokensPerBlock(options)}u;
var<workgroup> firstSlice: array<vec4<f16>, ${blockRows * sliceStride(keyDim)}>;
var<workgroup> secondSlice: array<vec4<f16>, ${blockRows * sliceStride(valueDim)}>;
var<workgroup> scores: array<vec4f, ${blockRows * scoreStride}>;
var<workgroup> weights: array<vec4<f16>, ${blockRows * weightStride}>;
var<private> keyHead: u32;
var<private> keyBegin: u32;
var<private> queryBegin: u32;
var<private> queryEnd: u32;

/** Where a query row lies, in rows of one head; the last for those beyond it. */
fn queryHead(row: u32) -> u32 {
  let at = min(queryBegin + row, queryEnd - 1u);
  return at / sharing * heads + keyHead * sharing + at % sharing;
}`;
}

/** More room for scores. */
export const moreScores = (name: string) =>
  `var<workgroup> ${name}: array<vec4f, ${blockRows * scoreStride}>;`;

/** Who a thread is: its subgroup has left rows from `ownRow` on, its lane scores of `row`. */
export function lanes(options: UnitHeads): string {
  const { subgroupSize } = options.units;
  return /* wgsl */ `
  let lane = thread % ${subgroupSize}u;
  let ownRow = thread / ${subgroupSize}u * ${unitSize}u;
  let row = ownRow + lane / ${lanesPerRow(options)}u;
  let part = lane % ${lanesPerRow(options)}u;`;
}

/** Moves the subgroup's rows of a slice to registers `name`0, `name`1, …, 16 elements each. */
export function leftUnits({ units }: UnitHeads, name: string, slice: string, size: number): string {
  const type = unitType(units, 'left');
  return unroll(size / unitSize, (k) => {
    const offset = `ownRow * ${sliceStride(size)}u + ${quadsOf(k * unitSize)}u`;
    return `let ${name}${k} = ${loadUnit(type, 'row_major', slice, offset, `${sliceStride(size)}u`)};`;
  });
}

/** Sums of the subgroup's rows, 16 columns each. */
export function unitSums({ units }: UnitHeads, name: string, size: number): string {
  return unroll(size / unitSize, (c) => `var ${name}${c}: ${unitType(units, 'result')};`);
}

/** Writes to `scores` the products of the left rows with right rows of a slice, from `begin` on. */
export function unitScores(
  { units }: UnitHeads,
  scores: string,
  { left, slice, size, begin }: { left: string; slice: string; size: number; begin: number },
): string {
  const type = unitType(units, 'right');
  return unroll(scoreColumns / unitSize, (j) => {
    const right = (k: number) => {
      const offset = (begin + j * unitSize) * sliceStride(size) + quadsOf(k * unitSize);
      return loadUnit(type, 'col_major', slice, `${offset}u`, `${sliceStride(size)}u`);
    };
    const at = `ownRow * ${scoreStride}u + ${quadsOf(j * unitSize)}u`;
    // Without a value, a matrix declared in a loop keeps that of the iteration before.
    return /* wgsl */ `{
      var sum = ${unitType(units, 'result')}();
      ${unroll(size / unitSize, (k) => `sum = ${multiplyUnits(`${left}${k}`, right(k), 'sum')};`)}
      ${storeUnit(scores, at, 'sum', `${scoreStride}u`)};
    }`;
  });
}

/** A piece of WGSL for each quad of the lane's scores: where it lies, and the first of its columns. */
export function eachScore(
  options: UnitHeads,
  piece: (quad: { index: number; at: string; weightAt: string; column: string }) => string,
): string {
  const count = scoreQuads(options);
  return unroll(count, (index) => {
    const along = `part * ${count}u + ${index}u`;
    return piece({
      index,
      at: `row * ${scoreStride}u + ${along}`,
      weightAt: `row * ${weightStride}u + ${along}`,
      column: `(${along}) * 4u`,
    });
  });
}

/** Adds to `sum` right rows of a slice, from `begin` on, times the weights. */
export function addWeighted(
  { units }: UnitHeads,
  sum: string,
  { slice, size, begin }: { slice: string; size: number; begin: number },
): string {
  return unroll(scoreColumns / unitSize, (k) => {
    const at = `ownRow * ${weightStride}u + ${quadsOf(k * unitSize)}u`;
    const weight = loadUnit(
      unitType(units, 'left'),
      'row_major',
      'weights',
      at,
      `${weightStride}u`,
    );
    const right = (c: number) => {
      const offset = (begin + k * unitSize) * sliceStride(size) + quadsOf(c * unitSize);
      return loadUnit(
        unitType(units, 'right'),
        'row_major',
        slice,
        `${offset}u`,
        `${sliceStride(size)}u`,
      );
    };
    return /* wgsl */ `{
      let weight = ${weight};
      ${unroll(size / unitSize, (c) => `${sum}${c} = ${multiplyUnits('weight', right(c), `${sum}${c}`)};`)}
    }`;
  });
}

/**
 * Takes sums out of registers, 16 columns at a time, and hands each quad of the lane's row to `piece`:
 * where it lies in `scores`, and its place among the quads of a row. With `keep` they are read back.
 */
export function eachSum(
  options: UnitHeads,
  { sum, size, keep }: { sum: string; size: number; keep: boolean },
  piece: (at: string, quad: string) => string,
): string {
  const { units } = options;
  const perLane = quadsOf(unitSize) / lanesPerRow(options);
  return unroll(size / unitSize, (c) => {
    const begin = `ownRow * ${scoreStride}u`;
    const result = unitType(units, 'result');
    return /* wgsl */ `
  workgroupBarrier();
  ${storeUnit('scores', begin, `${sum}${c}`, `${scoreStride}u`)};
  workgroupBarrier();
  ${unroll(perLane, (i) => {
    const along = `part * ${perLane}u + ${i}u`;
    return piece(`row * ${scoreStride}u + ${along}`, `${quadsOf(c * unitSize)}u + ${along}`);
  })}
  ${keep ? `workgroupBarrier();\n${sum}${c} = ${loadUnit(result, 'row_major', 'scores', begin, `${scoreStride}u`)};` : ''}`;
  });
}

/**
 * Products of few rows with columns of weights: what all kernels of inference are made of. The lanes of
 * a column share its sum, each reading every n-th element, and a column's weights are read once for
 * several rows. Loads come first, so that all of them are on their way before the first is waited for.
 *
 * With n = rmsNorm(x)·norm, n·w is Σ x·norm·w times the row's inverse RMS. So the squares of x are
 * added up along with the product, and no thread waits for a norm.
 */
import { unroll } from '../../program.ts';
import { elementType } from '../matmul/tile.ts';
import { chunkNumbers, chunksOfRow, scalesOfRow, type WeightBits } from '../quantized-weights.ts';
import { type Lanes, laneMemory, laneSums } from './lanes.ts';
import { addQuantizedProducts } from './quantized-products.ts';

export interface Products extends Lanes {
  /** Rows and columns of a thread. */
  rows: number;
  columns: number;
  /** Elements of a row. */
  inner: number;
  /** Whether rows of weights are wanted as they are normalised: `squares` are then added up too. */
  normed: boolean;
  /** Of weights; by default 32. Fewer are read as `quantized-weights.ts` says. */
  bits?: WeightBits;
}

/** Elements are read four at a time where rows allow. */
export const isVector = (inner: number) => inner % 4 === 0;
export const innerElement = (inner: number) => elementType(isVector(inner));
/** Elements of a row, as they are read. */
export const innerUnits = (inner: number) => (isVector(inner) ? inner / 4 : inner);

export const innerZero = (inner: number) => (isVector(inner) ? 'vec4f()' : '0.0');
export const innerDot = (inner: number, a: string, b: string) =>
  isVector(inner) ? `dot(${a}, ${b})` : `${a} * ${b}`;

/** How weights are read. */
export const weightElement = (inner: number, bits: WeightBits) =>
  bits === 32 ? innerElement(inner) : 'vec4u';

/** Lanes that leave each about four elements to read, or two chunks of quantised weights. */
export function lanesFor(inner: number, bits: WeightBits = 32): number {
  const each = bits === 32 ? innerUnits(inner) / 4 : inner / chunkNumbers(bits) / 2;
  return Math.min(32, Math.max(8, 2 ** Math.ceil(Math.log2(each))));
}

/** Rows that a thread works on, of all the rows of a call. */
export function rowsPerThread(rows: number): number {
  return Math.min(8, 2 ** Math.ceil(Math.log2(Math.max(rows, 1))));
}

/**
 * Elements of each of a thread's rows and columns that it loads before it multiplies: many, to wait for
 * memory but once, yet no more than it has registers for.
 */
function elementsPerRound(loads: number): number {
  return Math.min(8, 2 ** Math.floor(Math.log2(24 / loads)));
}

/**
 * Whether `groups` workgroups had better each read the same `bytes` and work out what the product needs of
 * them, than wait for a dispatch of its own (or several) that does so: they come from a cache at some
 * terabytes a second, and a dispatch costs about ten microseconds.
 */
export function isWorthRepeating(bytes: number, groups: number, dispatches = 1): boolean {
  return bytes * groups <= dispatches * 48 * 2 ** 20;
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

/** The names of the sums: row by column, then the squares of each row. */
export function sumNames({ rows, columns, normed }: Products): string[] {
  const sums = numbers(rows).flatMap((r) => numbers(columns).map((c) => `sum${r}x${c}`));
  return [...sums, ...(normed ? numbers(rows).map((r) => `squares${r}`) : [])];
}

/** Declares the sums. */
export function declareSums(options: Products): string {
  return sumNames(options)
    .map((name) => `var ${name} = 0.0;`)
    .join('\n');
}

/** Workgroup memory for the sums of these products, one after another. */
export function productMemory(...all: [Products, ...Products[]]): string {
  const lanes = Math.max(...all.map((product) => product.lanes));
  const sums = Math.max(...all.map((product) => sumNames(product).length));
  return laneMemory({ ...all[0], lanes }, sums);
}

/** Declares the sums and gives each lane the whole of them: `addProducts` between its two ends. */
export function sumProducts(options: Products, operands: Operands): string {
  return [
    declareSums(options),
    addProducts(options, operands),
    laneSums(sumNames(options), options),
  ].join('\n');
}

/** Which part of a row's weights is multiplied, in units of the inner dimension: by default all. */
export interface WeightPart {
  rowUnits: number;
  beginUnits: number;
}

/** Declares where the weights of a thread's column `c` begin: those of row `row` of a matrix. */
export function beginWeights(
  { inner, bits = 32 }: Products,
  c: number,
  row: string,
  { rowUnits, beginUnits }: WeightPart = { rowUnits: innerUnits(inner), beginUnits: 0 },
): string {
  if (bits === 32) {
    return `let weightBegin${c} = (${row}) * ${rowUnits}u + ${beginUnits}u;`;
  }
  return /* wgsl */ `
  let weightRow${c} = ${row};
  let weightBegin${c} = ${chunksOfRow(`weightRow${c}`, 4 * rowUnits, bits)};
  let scaleBegin${c} = ${scalesOfRow(`weightRow${c}`, 4 * rowUnits, bits)};`;
}

/**
 * Adds the thread's share of the products of `x` with `weights`, one array a column, to the sums. Needs
 * `lane`, and where each row begins: `rowBegin0`…; where each column does is declared by `beginWeights`.
 * `factor`, if given, multiplies the product.
 */
export function addProducts(options: Products, operands: Operands): string {
  const { rows, columns, inner, lanes, normed, bits = 32 } = options;
  if (bits !== 32) return addQuantizedProducts(options, bits, operands);
  const { x, weights, norm, factor } = operands;
  const units = innerUnits(inner);
  const steps = Math.ceil(units / lanes);
  const perRound = Math.min(steps, elementsPerRound(rows + columns));
  const isFull = units % (lanes * perRound) === 0;
  const round = /* wgsl */ `
    ${unroll(perRound, (u) => {
      const index = `k + ${u * lanes}u`;
      return /* wgsl */ `
    let k${u} = ${isFull ? index : `min(${index}, ${units - 1}u)`};
    ${unroll(columns, (c) => `let w${c}x${u} = ${weights[c]}[weightBegin${c} + k${u}];`)}
    ${normed ? `let norm${u} = ${norm}[k${u}];` : ''}`;
    })}
    ${unroll(rows, (r) =>
      unroll(perRound, (u) => {
        const load = `${x}[rowBegin${r} + k${u}]`;
        const inside = `k + ${u * lanes}u < ${units}u`;
        return `let x${r}x${u} = ${isFull ? load : `select(${innerZero(inner)}, ${load}, ${inside})`};`;
      }),
    )}
    ${unroll(rows, (r) =>
      unroll(perRound, (u) => {
        const value = normed ? `(x${r}x${u} * norm${u})` : `x${r}x${u}`;
        const times = factor ? `${factor} * ` : '';
        return /* wgsl */ `
    ${unroll(columns, (c) => `sum${r}x${c} += ${times}${innerDot(inner, value, `w${c}x${u}`)};`)}
    ${normed ? `squares${r} += ${innerDot(inner, `x${r}x${u}`, `x${r}x${u}`)};` : ''}`;
      }),
    )}`;
  if (steps <= perRound) return `{ let k = lane; ${round} }`;
  return `for (var k = lane; k < ${units}u; k += ${lanes * perRound}u) { ${round} }`;
}

export interface Operands {
  x: string;
  /** One array a column. */
  weights: string[];
  norm?: string;
  factor?: string;
  part?: WeightPart;
}

/** Declares `name` as the one of a column's (or the squares') sums that belongs to the row `lane`. */
export function ofLane(name: string, rows: number, sum: (row: number) => string): string {
  return /* wgsl */ `
  var ${name} = ${sum(0)};
  ${unroll(rows - 1, (i) => `if (lane == ${i + 1}u) { ${name} = ${sum(i + 1)}; }`)}`;
}

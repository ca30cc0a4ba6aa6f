/**
 * What the attention kernels have in common. A workgroup holds a block of 64 rows on the left and walks
 * over the rows on the right, 32 at a time: products of the two are taken (scores), turned into weights
 * and used to add up the right rows (values). The matrix of scores is never written.
 *
 * 16×16 threads: a thread has the rows 4·quad to 4·quad+3 of the left and the rows lane and lane+16 of
 * the right, quad = ⌊thread/16⌋, lane = thread mod 16; and of a sum, the same rows of the left and the
 * columns lane, lane+16, and so on.
 *
 * Query rows count the heads that share a key head: row r of a block is token ⌊r/group⌋ of it.
 */
import type { AttentionShape } from '../../../../tensor/kernels.ts';
import { unroll } from '../../program.ts';

/** The part of a shape that kernels are compiled for. */
export interface Heads {
  heads: number;
  keyValueHeads: number;
  keyDim: number;
  valueDim: number;
}

export function headsOf({ heads, keyValueHeads, keyDim, valueDim }: AttentionShape): Heads {
  return { heads, keyValueHeads, keyDim, valueDim };
}

export const attentionThreads = 256;
export const leftRows = 64;
/** A score that nothing visible has. */
export const nothing = '-1e30';
/** In place of no window. */
const noWindow = 2 ** 30;

export const windowOf = ({ window }: AttentionShape) => window ?? noWindow;

/** Tokens whose query rows, of all heads of a group, fill a block. */
export function tokensPerBlock({ heads, keyValueHeads }: Heads): number {
  const group = heads / keyValueHeads;
  if (group > leftRows) throw new Error(`more than ${leftRows} heads share a key head`);
  return Math.floor(leftRows / group);
}

/** Shapes as constants, and the workgroup's memory: 15 KiB, which every adapter has. */
export function tileMemory(heads: Heads): string {
  // Seventeen, not sixteen: or the threads of a lane would all want the same bank of memory.
  return /* wgsl */ `
const heads = ${heads.heads}u;
const keyValueHeads = ${heads.keyValueHeads}u;
const sharing = ${heads.heads / heads.keyValueHeads}u;
const keyDim = ${heads.keyDim}u;
const valueDim = ${heads.valueDim}u;
const blockTokens = ${tokensPerBlock(heads)}u;
var<workgroup> leftSlice: array<vec4f, 272>;
var<workgroup> rightSlice: array<vec2f, 272>;
var<workgroup> weights: array<vec4f, 544>;
var<private> keyHead: u32;
var<private> leftBegin: u32;
var<private> rightBegin: u32;

/** Keeps the weights of the thread's rows for the sums that follow. */
fn keepWeights(thread: u32, first: vec4f, second: vec4f) {
  workgroupBarrier();
  weights[thread % 16u * 17u + thread / 16u] = first;
  weights[(thread % 16u + 16u) * 17u + thread / 16u] = second;
  workgroupBarrier();
}`;
}

/**
 * A function that gives the products of the thread's left rows with its two right rows, over `size`
 * elements. `left(row, d)` and `right(row, d)` are functions that give element d of a row.
 */
export function product(name: string, size: number, left: string, right: string): string {
  return /* wgsl */ `
fn ${name}(thread: u32) -> mat2x4f {
  let lane = thread % 16u;
  let quad = thread / 16u;
  var sums: mat2x4f;
  for (var begin = 0u; begin < ${size}u; begin += 16u) {
    let d = begin + lane;
    var a = vec4f();
    var b = vec2f();
    if (d < ${size}u) {
      a = vec4f(${[0, 1, 2, 3].map((i) => `${left}(4u * quad + ${i}u, d)`).join(', ')});
      b = vec2f(${right}(quad, d), ${right}(quad + 16u, d));
    }
    workgroupBarrier();
    leftSlice[lane * 17u + quad] = a;
    rightSlice[lane * 17u + quad] = b;
    workgroupBarrier();
    for (var i = 0u; i < 16u; i++) {
      let rows = leftSlice[i * 17u + quad];
      let others = rightSlice[i * 17u + lane];
      sums[0] += rows * others.x;
      sums[1] += rows * others.y;
    }
  }
  return sums;
}`;
}

/** Sums `name`0, `name`1, …: one vector of four rows for each 16 columns. */
export function declareSums(name: string, size: number): string {
  return unroll(Math.ceil(size / 16), (c) => `var<private> ${name}${c}: vec4f;`);
}

/**
 * A function that adds, to the sums `target`, the first `count` right rows times their weights.
 * `row(i)` gives where row i begins in `array`; `element`, if not just indexed, the one at a place.
 */
export function weightedSum(
  name: string,
  {
    target,
    size,
    array,
    row,
    element = (place) => `${array}[${place}]`,
  }: {
    target: string;
    size: number;
    array: string;
    row: string;
    element?: (place: string) => string;
  },
): string {
  const add = (c: number) => {
    const statement = `${target}${c} += weight * ${element(`begin + ${16 * c}u`)};`;
    return 16 * c + 16 <= size ? statement : `if (lane + ${16 * c}u < ${size}u) { ${statement} }`;
  };
  return /* wgsl */ `
fn ${name}(thread: u32, count: u32) {
  let lane = thread % 16u;
  let quad = thread / 16u;
  for (var i = 0u; i < count; i++) {
    let weight = weights[i * 17u + quad];
    let begin = ${row}(i) + lane;
    ${unroll(Math.ceil(size / 16), add)}
  }
}`;
}

/** Writes the sums, times `factor`, to `array` where `valid` (of `i`); `row` is where a row begins. */
export function storeSums(
  sums: { target: string; size: number; array: string },
  { row, valid, factor }: { row: string; valid: string; factor: string },
): string {
  const { target, size, array } = sums;
  const columns = Math.ceil(size / 16);
  return unroll(
    4,
    (i) => /* wgsl */ `
  {
    let i = ${i}u;
    if (${valid}) {
      let begin = ${row} + lane;
      ${unroll(columns, (c) => {
        const statement = `${array}[begin + ${16 * c}u] = ${target}${c}[i] * ${factor};`;
        return 16 * c + 16 <= size
          ? statement
          : `if (lane + ${16 * c}u < ${size}u) { ${statement} }`;
      })}
    }
  }`,
  );
}

/** The left rows are query rows, from token `leftBegin` on, of `array` with rows of `size`. */
export function queryRows(name: string, array: string, size: string): string {
  return /* wgsl */ `
fn ${name}(row: u32, d: u32) -> f32 {
  let token = leftBegin + row / sharing;
  if (row >= blockTokens * sharing || token >= p.tokens) { return 0.0; }
  return ${array}[(token * heads + keyHead * sharing + row % sharing) * ${size} + d];
}`;
}

/** The first row of this call that a token sees. */
export const firstVisible = /* wgsl */ `
fn firstVisible(token: u32) -> u32 {
  return u32(max(rowStart[token], i32(token) - p.window + 1));
}`;

/**
 * The inner loop of every matrix product: one workgroup computes a square tile of out = A·B.
 *
 * Slices of A and B of the tile's size × `depth` go through workgroup memory, as vectors of four rows
 * of A and of four columns of B, so that each of 16×16 threads multiplies from there what its own 4×4
 * blocks of the tile need. While a slice is worked on, the next is already on its way into registers.
 *
 * A matrix may be stored along the inner dimension or along the other; half of the threads load A, half
 * B, each a block of 4×4 elements that it turns around in registers where needed. If the stored rows
 * are multiples of four long, blocks are read as vectors.
 */
import { unroll } from '../../program.ts';
import { isQuantized, type TileWeights, tileWeightReader } from '../quantized-weights.ts';

export interface TileOptions extends TileWeights {
  /** 4×4 blocks a thread in each direction: 1 for tiles of 64, 2 for tiles of 128. */
  blocks: 1 | 2;
  /** `a` is [K,M] in memory, not [M,K]. */
  transposeA: boolean;
  /** `b` is [N,K] in memory, not [K,N]. */
  transposeB: boolean;
  /** Whether rows of a, b and out in memory are multiples of four long: arrays are of vec4f then. */
  vectorA: boolean;
  vectorB: boolean;
  vectorOut: boolean;
  accumulate: boolean;
}

export const tileThreads = 256;
export const tileSize = (blocks: number) => 64 * blocks;
/** 16 KiB of workgroup memory in both cases, which every adapter has. */
export const tileDepth = (blocks: number) => 32 / blocks;

/** Of a tile's second factor. */
export const tileElement = (vector: boolean, weights: TileWeights) =>
  isQuantized(weights) ? 'vec4u' : elementType(vector);

export const elementType = (vector: boolean) => (vector ? ('vec4f' as const) : ('f32' as const));

/** The part of which matrices a tile belongs to: see `tileHead`. */
export const regionType = /* wgsl */ `struct Region {
  rowBegin: u32, rowEnd: u32,
  columnBegin: u32, columnEnd: u32,
  innerBegin: u32, innerEnd: u32,
  aBase: u32, bBase: u32, outBase: u32,
  aStride: u32, bStride: u32, outStride: u32,
}`;

/**
 * Workgroup memory and loading. `Region` says which part of which matrices a tile belongs to: rows
 * rowBegin to rowEnd of A and out, inner indices innerBegin to innerEnd, in arrays that begin at aBase,
 * bBase and outBase; stored rows have aStride, bStride and outStride elements.
 */
export function tileHead(options: TileOptions): string {
  const quads = tileSize(options.blocks) / 4;
  const words = tileDepth(options.blocks) * quads;
  return /* wgsl */ `
const quads = ${quads}u;
const depth = ${tileDepth(options.blocks)}u;
var<workgroup> aSlice: array<vec4f, ${words}>;
var<workgroup> bSlice: array<vec4f, ${words}>;

${regionType}
${quadReader('a', options.vectorA)}
${isQuantized(options) ? quantizedReader(options) : quadReader('b', options.vectorB)}
${blockLoader('A', options.transposeA, 'row')}
${blockLoader('B', !options.transposeB, 'column')}
${store(options)}`;
}

/** Four elements in a row of memory; zeros from `end` on. */
function quadReader(name: string, vector: boolean): string {
  return vector
    ? /* wgsl */ `
fn ${name}Quad(begin: u32, index: u32, end: u32) -> vec4f {
  if (index >= end) { return vec4f(); }
  return ${name}[(begin + index) / 4u];
}`
    : /* wgsl */ `
fn ${name}Quad(begin: u32, index: u32, end: u32) -> vec4f {
  var quad = vec4f();
  for (var i = 0u; i < 4u; i++) {
    if (index + i < end) { quad[i] = ${name}[begin + index + i]; }
  }
  return quad;
}`;
}

/** The same of quantised weights. */
function quantizedReader(options: TileOptions): string {
  return /* wgsl */ `
${tileWeightReader(options)}
fn bQuad(begin: u32, index: u32, end: u32) -> vec4f {
  if (index >= end) { return vec4f(); }
  return weightsAt(begin / ${options.inner}u, index);
}`;
}

/**
 * Loads a thread's block of the slice at `inner` as four vectors over the outer dimension (rows of A,
 * columns of B), one for each of four inner indices. `outerFirst`: elements of the outer dimension are
 * neighbours in memory.
 */
function blockLoader(matrix: 'A' | 'B', outerFirst: boolean, outer: 'row' | 'column'): string {
  const name = matrix.toLowerCase();
  const [begin, end] = [`r.${outer}Begin`, `r.${outer}End`];
  if (outerFirst) {
    return /* wgsl */ `
fn load${matrix}(r: Region, inner: u32, block: u32) -> mat4x4f {
  let outer = ${begin} + block % quads * 4u;
  let k = inner + block / quads * 4u;
  ${unroll(
    4,
    (i) => /* wgsl */ `var row${i} = vec4f();
  if (k + ${i}u < r.innerEnd) {
    row${i} = ${name}Quad(r.${name}Base + (k + ${i}u) * r.${name}Stride, outer, ${end});
  }`,
  )}
  return mat4x4f(row0, row1, row2, row3);
}
fn place${matrix}(block: u32) -> u32 { return block / quads * 4u * quads + block % quads; }`;
  }
  return /* wgsl */ `
fn load${matrix}(r: Region, inner: u32, block: u32) -> mat4x4f {
  let outer = ${begin} + block / (depth / 4u) * 4u;
  let k = inner + block % (depth / 4u) * 4u;
  ${unroll(
    4,
    (i) => /* wgsl */ `var row${i} = vec4f();
  if (outer + ${i}u < ${end}) {
    row${i} = ${name}Quad(r.${name}Base + (outer + ${i}u) * r.${name}Stride, k, r.innerEnd);
  }`,
  )}
  return transpose(mat4x4f(row0, row1, row2, row3));
}
fn place${matrix}(block: u32) -> u32 {
  return block % (depth / 4u) * 4u * quads + block / (depth / 4u);
}`;
}

function store({ vectorOut, accumulate }: TileOptions): string {
  const assign = accumulate ? '+=' : '=';
  return vectorOut
    ? /* wgsl */ `
fn storeQuad(r: Region, row: u32, column: u32, value: vec4f) {
  if (row < r.rowEnd && column < r.columnEnd) {
    out[(r.outBase + row * r.outStride + column) / 4u] ${assign} value;
  }
}`
    : /* wgsl */ `
fn storeQuad(r: Region, row: u32, column: u32, value: vec4f) {
  if (row >= r.rowEnd) { return; }
  for (var i = 0u; i < 4u; i++) {
    if (column + i < r.columnEnd) {
      out[r.outBase + row * r.outStride + column + i] ${assign} value[i];
    }
  }
}`;
}

/** The body of `main`, after a region `r` that is the same for the whole workgroup. */
export function tileBody({ blocks }: TileOptions): string {
  const each = (piece: (row: number, column: number) => string) =>
    unroll(blocks * blocks, (i) => piece(Math.floor(i / blocks), i % blocks));
  return /* wgsl */ `
  let across = thread % 16u;
  let down = thread / 16u;
  let block = thread % 128u;
  let loadsA = thread < 128u;
  ${each((i, j) => `var sum${i}${j}: mat4x4f;`)}
  var loaded: mat4x4f;
  if (loadsA) { loaded = loadA(r, r.innerBegin, block); }
  else { loaded = loadB(r, r.innerBegin, block); }

  for (var inner = r.innerBegin; inner < r.innerEnd; inner += depth) {
    workgroupBarrier();
    if (loadsA) {
      let place = placeA(block);
      ${unroll(4, (i) => `aSlice[place + ${i}u * quads] = loaded[${i}];`)}
    } else {
      let place = placeB(block);
      ${unroll(4, (i) => `bSlice[place + ${i}u * quads] = loaded[${i}];`)}
    }
    workgroupBarrier();
    if (inner + depth < r.innerEnd) {
      if (loadsA) { loaded = loadA(r, inner + depth, block); }
      else { loaded = loadB(r, inner + depth, block); }
    }
    for (var k = 0u; k < depth; k++) {
      ${unroll(blocks, (i) => `let a${i} = aSlice[k * quads + ${i * 16}u + down];`)}
      ${unroll(blocks, (j) => `let b${j} = bSlice[k * quads + ${j * 16}u + across];`)}
      ${each((i, j) => unroll(4, (c) => `sum${i}${j}[${c}] += a${i}[${c}] * b${j};`))}
    }
  }
  ${each((i, j) =>
    unroll(
      4,
      (c) =>
        `storeQuad(r, r.rowBegin + ${i * 64 + c}u + down * 4u, r.columnBegin + ${j * 64}u + across * 4u, sum${i}${j}[${c}]);`,
    ),
  )}`;
}

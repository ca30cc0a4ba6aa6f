import type { Operand, Runtime } from '../runtime.ts';

/** How a block is computed; numbers as in assembly/matmul.ts. */
const Way = { packed: 0, updates: 1 } as const;

/** Up to this many rows a product with B as it is stored is bound by reading it, and B is not packed. */
const fewRows = 8;
/** Blocks of the packed way: each packs its part of B once, so more rows are better. */
const mostRows = 768;
/** As many columns as assembly/matmul.ts has room for. */
const mostColumns = 512;
const tileRows = 6;
const tileColumns = 8;
/** Multiply-adds below which a block is not worth handing to another thread; about 5 µs. */
const leastWork = 2 ** 17;
/** Bytes of B below which a block of few rows is not either. */
const leastBytes = 2 ** 16;
/** So that threads finish together although blocks differ. */
const blocksPerThread = 4;

const entryLength = 8;

/** One product C (+)= A·B and where its factors begin, in elements of the whole tensors. */
export interface Product {
  rows: number;
  columns: number;
  depth: number;
  a: number;
  b: number;
  c: number;
}

/** Elements from one stored row to the next, and which way round A and B are stored. */
export interface Layout {
  transposeA: boolean;
  transposeB: boolean;
  aStride: number;
  bStride: number;
  cStride: number;
}

/**
 * The blocks of C that a launch of `multiplyBlocks` computes. How products are cut depends on the
 * number of threads, and no result does: an element's sum does not depend on the block it lies in,
 * only on the way, which is chosen by the rows of its product.
 */
export class BlockPlan {
  #entries = new Int32Array(64 * entryLength);
  #count = 0;
  #needsWorkspace = false;

  get count(): number {
    return this.#count;
  }

  /** Whether any block is packed, and so needs memory on every thread. */
  get needsWorkspace(): boolean {
    return this.#needsWorkspace;
  }

  /** Starts over with the blocks of these products. */
  fill(products: readonly Product[], layout: Layout, threads: number): void {
    this.#count = 0;
    this.#needsWorkspace = false;
    let work = 0;
    for (const { rows, columns, depth } of products) work += rows * columns * depth;
    const share = threads === 1 ? Infinity : Math.max(work / (threads * blocksPerThread), 1);
    for (const product of products) this.#cut(product, layout, share);
  }

  /** The plan in the device's memory. */
  store(runtime: Runtime): Operand {
    const operand = runtime.scratch(this.#count * entryLength * 4);
    runtime.ints(operand.tensor).set(this.#entries.subarray(0, this.#count * entryLength));
    return operand;
  }

  #cut(product: Product, layout: Layout, share: number): void {
    const { rows, columns, depth } = product;
    if (rows === 0 || columns === 0) return;
    const way = wayFor(product, layout);
    const wanted = Math.max(share, way === Way.packed ? leastWork : (leastBytes / 4) * rows);
    let rowParts = 1;
    let columnParts = 1;
    if (way === Way.packed) {
      rowParts = Math.ceil(rows / mostRows);
      columnParts = Math.ceil(columns / mostColumns);
    }
    let high = partSize(rows, rowParts, tileRows);
    let wide = partSize(columns, columnParts, tileColumns);
    while (high * wide * depth > wanted) {
      const byRows = way === Way.packed && high >= wide;
      if (byRows ? high <= tileRows : wide <= 2 * tileColumns) break;
      if (byRows) high = partSize(rows, ++rowParts, tileRows);
      else wide = partSize(columns, ++columnParts, tileColumns);
    }
    if (way === Way.packed) this.#needsWorkspace = true;
    for (let i = 0; i < rows; i += high) {
      for (let j = 0; j < columns; j += wide) {
        this.#add(
          product,
          layout,
          i,
          j,
          Math.min(high, rows - i),
          Math.min(wide, columns - j),
          way,
        );
      }
    }
  }

  #add(
    product: Product,
    layout: Layout,
    row: number,
    column: number,
    rows: number,
    columns: number,
    way: number,
  ): void {
    const at = this.#count++ * entryLength;
    if (at + entryLength > this.#entries.length) {
      const larger = new Int32Array(this.#entries.length * 2);
      larger.set(this.#entries);
      this.#entries = larger;
    }
    const entries = this.#entries;
    // Byte offsets below 2³², whose upper half wraps to negative integers and back in the kernel.
    entries[at] = 4 * (product.a + (layout.transposeA ? row : row * layout.aStride));
    entries[at + 1] = 4 * (product.b + (layout.transposeB ? column * layout.bStride : column));
    entries[at + 2] = 4 * (product.c + row * layout.cStride + column);
    entries[at + 3] = rows;
    entries[at + 4] = columns;
    entries[at + 5] = product.depth;
    entries[at + 6] = way;
  }
}

function wayFor({ rows }: Product, { transposeB }: Layout): number {
  return rows > fewRows || transposeB ? Way.packed : Way.updates;
}

/** Size of each of `parts` parts of `total`, in whole tiles. */
function partSize(total: number, parts: number, tile: number): number {
  return Math.ceil(total / parts / tile) * tile;
}

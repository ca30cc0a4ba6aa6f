/**
 * FP8 weights with one float32 scale for each block of 128 rows and 128 columns:
 * `weight = fp8 · scale`, exactly as the released checkpoint stores them.
 *
 * Its global layers hide a trap. They were quantised with query, key and value fused, one rank for
 * each key-value head, and split afterwards. A key head of 192 rows ends in the middle of a block,
 * so the block's scale belongs to the last 64 rows of the key and to the first 64 of the value:
 *
 *     rank's rows     │ query … │ key 0–127 │ key 128–191, value 0–63 │ value 64–127 │
 *     scale tensor    │ query   │ key       │ key                     │ value        │
 *
 * Their key scales have ceil(192 / 128) = 2 rows a head, 8 in all, where blocks over the 768 rows
 * of the key tensor alone would make 6; that is how such a layer is told from the others.
 */
import { UserError } from '../errors.ts';
import type { AttentionConfig } from '../model/config.ts';
import { e4m3Values } from './number-formats.ts';

export const BLOCK = 128;

/** A matrix of block scales, as stored next to a weight. */
export interface BlockScales {
  rows: number;
  /** ceil(weight columns / 128) */
  columns: number;
  values: Float32Array;
}

/** The block scales, one per 128 columns, of a row of a weight. */
export type ScaleRow = (row: number) => Float32Array;

/**
 * Decodes a weight of E4M3 codes `[out.length / columns, columns]` into `out`. Each product of a
 * code's 4-bit mantissa and a float32 scale is rounded once, to float32.
 */
export function dequantizeBlocks(
  codes: Uint8Array,
  columns: number,
  scaleRow: ScaleRow,
  out: Float32Array,
): void {
  for (let row = 0; row * columns < codes.length; row++) {
    const scales = scaleRow(row);
    const rowEnd = (row + 1) * columns;
    let index = row * columns;
    for (let block = 0; index < rowEnd; block++) {
      const scale = scales[block]!;
      const blockEnd = Math.min(index + BLOCK, rowEnd);
      for (; index < blockEnd; index++) out[index] = e4m3Values[codes[index]!]! * scale;
    }
  }
}

/** The ordinary layout: rows 0–127 share scale row 0, and so on. */
export function uniformScaleRow(scales: BlockScales): ScaleRow {
  return (row) => scaleRowAt(scales, Math.floor(row / BLOCK));
}

/** Scale rows of one head in a layer that was quantised fused. */
export interface FusedLayout {
  /** In the key's scale tensor; the last one may reach into the value's rows. */
  keyBlocks: number;
  /** In the value's scale tensor; 0 when the value's rows all fit the key's last block. */
  valueBlocks: number;
}

/**
 * The layout of a layer's key and value scales, told from the number of rows in the key's; `null`
 * is the ordinary one. Where both layouts have the same number the ordinary one is meant.
 *
 * @throws UserError when key rows would not begin a block, which no known checkpoint has
 */
export function fusedLayout(attention: AttentionConfig, keyScaleRows: number): FusedLayout | null {
  const { heads, keyValueHeads, headDim, valueHeadDim } = attention;
  const keyBlocks = Math.ceil(headDim / BLOCK);
  const uniform = Math.ceil((keyValueHeads * headDim) / BLOCK);
  if (keyScaleRows === uniform || keyScaleRows !== keyValueHeads * keyBlocks) return null;
  const queryRows = (heads / keyValueHeads) * headDim;
  if (queryRows % BLOCK !== 0) {
    throw new UserError(
      `FP8 scales fused over ${queryRows} query rows a rank, not a multiple of ${BLOCK}, ` +
        'are not supported; use unquantised weights',
    );
  }
  return { keyBlocks, valueBlocks: Math.ceil((headDim + valueHeadDim) / BLOCK) - keyBlocks };
}

/** Scale rows for a key tensor `[keyValueHeads · headDim, hidden]` of a fused layer. */
export function fusedKeyScaleRow(
  { headDim }: AttentionConfig,
  { keyBlocks }: FusedLayout,
  keyScales: BlockScales,
): ScaleRow {
  return (row) => {
    const head = Math.floor(row / headDim);
    const block = Math.floor((row % headDim) / BLOCK);
    return scaleRowAt(keyScales, head * keyBlocks + block);
  };
}

/** Scale rows for a value tensor `[keyValueHeads · valueHeadDim, hidden]` of a fused layer. */
export function fusedValueScaleRow(
  { headDim, valueHeadDim }: AttentionConfig,
  { keyBlocks, valueBlocks }: FusedLayout,
  keyScales: BlockScales,
  valueScales: BlockScales,
): ScaleRow {
  return (row) => {
    const head = Math.floor(row / valueHeadDim);
    const block = Math.floor((headDim + (row % valueHeadDim)) / BLOCK);
    return block < keyBlocks
      ? scaleRowAt(keyScales, head * keyBlocks + block)
      : scaleRowAt(valueScales, head * valueBlocks + block - keyBlocks);
  };
}

function scaleRowAt({ columns, values }: BlockScales, index: number): Float32Array {
  return values.subarray(index * columns, (index + 1) * columns);
}

// Matrix multiplication: all of it, plain and by expert, is a list of blocks of C, each the product of
// a block of rows of A and a block of columns of B over a depth. The host plans the list (see
// kernels/matmul.ts); one work item is one block.
import { packA, packB } from './pack';
import { multiplyEdgeTile, multiplyTile, tileColumns, tileRows } from './tile';
import { multiplyByUpdates } from './updates';

/** Depth packed at a time: a panel of B of this depth takes 8 kB, a sixth of the first cache. */
const depthStep: i32 = 256;
/** Rows of A packed at a time: with the depth above 96 kB of the second cache. */
const rowStep: i32 = 96;
/** Columns of B packed at a time, 512 kB; no block has more. */
const columnStep: i32 = 512;

const packedABytes: usize = <usize>(rowStep * depthStep * 4);
const packedBBytes: usize = <usize>(columnStep * depthStep * 4);
const tileBytes: usize = 6 * 8 * 4;

/** Bytes of one entry of the plan: 8 integers, see `multiplyBlocks`. */
const entryBytes: usize = 32;
const viaUpdates: i32 = 1;

/**
 * Work item i is plan[i]: the byte offsets of its blocks in a, b and c; rows, columns, depth; how; 0.
 * A is [rows,depth], or [depth,rows] if `transposeA`; B is [depth,columns], or [columns,depth] if
 * `transposeB`; strides are those of the stored rows, in bytes. Every thread has `workspaceStride`
 * bytes at `workspace`.
 */
export function multiplyBlocks(
  plan: usize, a: usize, aStride: usize, transposeA: i32, b: usize, bStride: usize, transposeB: i32,
  c: usize, cStride: usize, accumulate: i32, workspace: usize, workspaceStride: usize,
  begin: i32, end: i32, thread: i32,
): void {
  workspace += <usize>thread * workspaceStride;
  for (let item = begin; item < end; item++) {
    const entry = plan + <usize>item * entryBytes;
    const blockA = a + load<u32>(entry);
    const blockB = b + load<u32>(entry, 4);
    const blockC = c + load<u32>(entry, 8);
    const rows = load<i32>(entry, 12);
    const columns = load<i32>(entry, 16);
    const depth = load<i32>(entry, 20);
    const how = load<i32>(entry, 24);
    if (how == viaUpdates) {
      const aRowStride: usize = transposeA ? 4 : aStride;
      const aDepthStride: usize = transposeA ? aStride : 4;
      multiplyByUpdates(
        blockA, aRowStride, aDepthStride, blockB, bStride, blockC, cStride,
        rows, columns, depth, accumulate,
      );
    } else {
      multiplyPacked(
        blockA, aStride, transposeA, blockB, bStride, transposeB, blockC, cStride,
        rows, columns, depth, accumulate, workspace,
      );
    }
  }
}

/** The general case. Every element of C is summed in steps of `depthStep`, wherever it lies. */
function multiplyPacked(
  a: usize, aStride: usize, transposeA: i32, b: usize, bStride: usize, transposeB: i32,
  c: usize, cStride: usize, rows: i32, columns: i32, depth: i32, accumulate: i32, workspace: usize,
): void {
  const packedA = workspace + tileBytes;
  const packedB = packedA + packedABytes;
  const aDepthStride: usize = transposeA ? aStride : 4;
  const aRowStride: usize = transposeA ? 4 : aStride;
  const bDepthStride: usize = transposeB ? 4 : bStride;
  let k = 0;
  do {
    const deep = min(depth - k, depthStep);
    const add = accumulate | i32(k > 0);
    packB(b + <usize>k * bDepthStride, bStride, transposeB, columns, deep, packedB);
    for (let i = 0; i < rows; i += rowStep) {
      const high = min(rows - i, rowStep);
      const fromA = a + <usize>k * aDepthStride + <usize>i * aRowStride;
      packA(fromA, aStride, transposeA, high, deep, packedA);
      const to = c + <usize>i * cStride;
      multiplyPanels(packedA, packedB, to, cStride, high, columns, deep, add, workspace);
    }
    k += deep;
  } while (k < depth);
}

/** A panel of B stays in the first cache while all of packed A, in the second, passes by. */
function multiplyPanels(
  packedA: usize, packedB: usize, c: usize, cStride: usize, rows: i32, columns: i32, depth: i32,
  accumulate: i32, tile: usize,
): void {
  const panelABytes = <usize>(depth * tileRows * 4);
  const panelBBytes = <usize>(depth * tileColumns * 4);
  for (let j = 0; j < columns; j += tileColumns) {
    const wide = min(columns - j, tileColumns);
    let panelA = packedA;
    let to = c + (<usize>j << 2);
    for (let i = 0; i < rows; i += tileRows) {
      const high = min(rows - i, tileRows);
      if (high == tileRows && wide == tileColumns) {
        multiplyTile(panelA, packedB, to, cStride, depth, accumulate);
      } else {
        multiplyEdgeTile(
          panelA, packedB, to, cStride, depth, accumulate, high, wide, tile,
        );
      }
      panelA += panelABytes;
      to += <usize>tileRows * cStride;
    }
    packedB += panelBBytes;
  }
}

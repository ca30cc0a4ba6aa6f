import type { Batch, KeyValueCache } from '../model/batch.ts';
import type { Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { DecoderSequence } from './decoder-sequence.ts';
import type { KeyValuePool } from './key-value-pool.ts';
import {
  firstRows,
  globalRows,
  ofEachRange,
  pageTable,
  positionsOf,
  type RowRange,
  ringRows,
  ringTable,
  type Snapshot,
  snapshotRows,
  tableWidth,
  tokensOf,
} from './row-ranges.ts';
import { upload } from './upload.ts';

export interface PackedRows {
  batch: Batch;
  /** Sees what is held before each range, and writes the rows of the call as they come. */
  cache: KeyValueCache;
  /** i32 [T]: where the trunk's states of the rows are kept, or −1. */
  stateRows: Tensor;
  /** The same for snapshots. */
  snapshotRows: readonly Tensor[];
}

/** Rows of a sequence, of which snapshots may be taken on the way. */
export interface PackedRange extends RowRange<DecoderSequence> {
  snapshots?: readonly Snapshot[];
}

/**
 * Many rows of several sequences, for a call of `trunk` or `mtpBlock`: chunks of prompts. All of them are
 * certain, so nothing is ever taken back. The batch's tokens are those `ahead` positions after the rows'.
 */
export function packRows(
  scope: Scope,
  pool: KeyValuePool,
  ranges: readonly PackedRange[],
  ahead = 0,
): PackedRows {
  const first = firstRows(ranges);
  const snapshots = Math.max(0, ...ranges.map((range) => range.snapshots?.length ?? 0));
  const inputs = upload(scope, {
    tokens: tokensOf(ranges, ahead),
    positions: positionsOf(ranges),
    rowStart: ofEachRange(ranges, (_range, index) => first[index]!),
    sequence: ofEachRange(ranges, (_range, index) => index),
    lengths: Int32Array.from(ranges, ({ begin }) => begin),
    pageTable: pageTable(ranges),
    rings: ringTable(ranges),
    globalRows: globalRows(ranges),
    ringRows: ringRows(ranges, pool.ringSize),
    snapshotRows: Array.from({ length: snapshots }, (_, k) => {
      const own = ranges.map((range) => range.snapshots?.[k]);
      return snapshotRows(ranges, own, pool.ringSize);
    }),
  });
  const places = {
    ...inputs,
    pageTable: inputs.pageTable.reshape([ranges.length, tableWidth(ranges)]),
    rings: inputs.rings.reshape([ranges.length, 1]),
  };
  const { tokens, positions, rowStart } = inputs;
  for (const { sequence, begin, snapshots = [] } of ranges) {
    // A snapshot's window may reach back to before the call.
    if (begin > 0) for (const { ring } of snapshots) pool.copyRing(sequence.ring, ring);
  }
  const hasPast = ranges.some(({ begin }) => begin > 0);
  return {
    batch: { tokens, positions, rowStart },
    cache: (slot) => ({
      past: hasPast ? pool.past(slot, places) : null,
      round: (key, value) => pool.round(slot, key, value),
      keep(key, value) {
        pool.write(slot, key, value, places);
        scope.release(key);
        scope.release(value);
      },
    }),
    stateRows: inputs.ringRows,
    snapshotRows: inputs.snapshotRows,
  };
}

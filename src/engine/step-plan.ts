import type { DecoderSequence } from './decoder-sequence.ts';
import { countRows, firstRows, numbersOf, type RowRange, tokensOf } from './row-ranges.ts';
import { alignedLength } from './upload.ts';

/** What one MTP block does in a step. */
export interface BlockPlan {
  /** The last row of each sequence, from which it is drafted, where there are any. */
  drafting: RowRange<DecoderSequence>[];
  /** These, then the rows before, which only leave their keys and values. */
  ranges: RowRange<DecoderSequence>[];
  /** Where the tokens of its rows are among the step's. */
  firstToken: number;
  rows: number;
  /** i32 [S]: where the last row of each sequence is; −1 if it has none. */
  lastRows: Int32Array;
  /** i32 [S, places]: where the token that it drafts for each sequence goes; −1 for nowhere. */
  places: Int32Array;
}

/**
 * One step of S sequences: which rows pass which part of the model. With D drafts the trunk has the
 * D + 1 rows of each sequence's last token and of its drafts.
 *
 * MTP block k's row for position t needs the trunk's state h_t and token t+1+k; for the last k rows that
 * token is still a draft, and those rows are computed again in the next step. So a block's rows of a
 * sequence are those since the last one that was certain, and a drafted token goes to one row of the
 * trunk and to one of every later block.
 */
export interface StepPlan {
  trunk: RowRange<DecoderSequence>[];
  blocks: BlockPlan[];
  /** Tokens of the trunk's rows, then of each block's; 0 where the host does not know it. */
  tokens: Int32Array;
}

/**
 * `sequences` have at least one token that has not passed the trunk, and room for `drafts` more. `unread`:
 * tokens that each has been given on the device alone; then there are no drafts.
 */
export function planStep(
  sequences: readonly DecoderSequence[],
  drafts: number,
  window: number,
  unread = 0,
): StepPlan {
  const trunk = sequences.map((sequence) => {
    const begin = sequence.length + unread;
    return { sequence, begin, end: begin + drafts + 1 };
  });
  let size = alignedLength(countRows(trunk));
  const blocks = Array.from({ length: drafts }, (_, head) => {
    const uncertain = sequences.map((sequence) => uncertainRows(sequence, head, window));
    const drafting = uncertain.map((range) => ({ ...range, begin: lastOf(range) }));
    const ranges = [...drafting, ...uncertain.map((range) => ({ ...range, end: lastOf(range) }))];
    const rows = countRows(ranges);
    const first = firstRows(ranges);
    const lastRows = numbersOf(drafting, ({ begin, end }, s) => (end > begin ? first[s]! : -1));
    const firstToken = size;
    size += alignedLength(rows);
    return { drafting, ranges, rows, first, lastRows, firstToken };
  });

  const tokens = new Int32Array(size);
  sequences.forEach(({ tokens: known, length }, s) => {
    tokens[s * (drafts + 1)] = known[length + unread] ?? 0;
  });
  blocks.forEach(({ ranges, firstToken }, head) => {
    tokens.set(tokensOf(ranges, 1 + head), firstToken);
  });
  return {
    trunk,
    blocks: blocks.map((block, head) => ({
      ...block,
      places: placesOf(sequences, drafts, head, blocks),
    })),
    tokens,
  };
}

/**
 * Rows of an MTP block that a step must compute. A block's keys do not depend on earlier rows, so
 * nothing older than a window is ever needed.
 */
export function uncertainRows(
  sequence: DecoderSequence,
  head: number,
  window: number,
): RowRange<DecoderSequence> {
  const { length, blockLengths } = sequence;
  return { sequence, begin: Math.max(blockLengths[head]!, length - window, 0), end: length };
}

/** The last position of a range, or its end if it has none. */
function lastOf({ begin, end }: RowRange): number {
  return Math.max(begin, end - 1);
}

/** Block `head` drafts the token of position length + head + 1. */
function placesOf(
  sequences: readonly DecoderSequence[],
  drafts: number,
  head: number,
  blocks: readonly (Pick<BlockPlan, 'ranges' | 'firstToken' | 'lastRows'> & { first: number[] })[],
): Int32Array {
  const places = new Int32Array(sequences.length * (blocks.length - head));
  let at = 0;
  for (let s = 0; s < sequences.length; s++) {
    places[at++] = s * (drafts + 1) + head + 1;
    for (let later = head + 1; later < blocks.length; later++) {
      const { ranges, first, firstToken, lastRows } = blocks[later]!;
      // The row of a later block that reads this token lies so many before the last.
      const before = later - head - 1;
      const [row, earlier] = [lastRows[s]!, sequences.length + s];
      const { begin, end } = ranges[earlier]!;
      if (before === 0) places[at++] = row < 0 ? -1 : firstToken + row;
      else if (end - before < begin) places[at++] = -1;
      else places[at++] = firstToken + first[earlier]! + end - before - begin;
    }
  }
  return places;
}

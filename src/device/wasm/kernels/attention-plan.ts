import type { AttentionShape } from '../../../tensor/kernels.ts';

/** Rows of queries, over all heads of a group, that are worked on against the same blocks of keys. */
export const rowsPerSpan = 192;
/** Few rows with many keys are split over the keys, so that decoding occupies more threads. */
const keysPerPart = 1024;

/** The work of one attention call, cut the same way whatever the number of threads. */
export interface AttentionPlan {
  /** i32 [n, 8], as the kernel `attention` takes them, and the most tokens in one. */
  spans: Int32Array;
  maximumTokens: number;
  /** i32 [m, 4], as the kernel `attentionMerge` takes them. */
  merges: Int32Array;
  partialCount: number;
  /** Scores computed, for one head of the group; what the work is in proportion to. */
  scoreCount: number;
}

/** Rows of one sequence and of successive positions. */
export interface RowRun {
  begin: number;
  end: number;
  /** Of row `begin`. */
  position: number;
  /** Keys of the sequence before this position lie in its pages, later ones in the call's own rows. */
  held: number;
  /** Row of the page table. */
  sequence: number;
}

/** Cuts runs of rows into spans, and the keys of a span into parts where they are many. */
export function planAttention(shape: AttentionShape, runs: readonly RowRun[]): AttentionPlan {
  const group = shape.heads / shape.keyValueHeads;
  const spanTokens = Math.max(1, Math.floor(rowsPerSpan / group));
  const window = shape.window ?? Number.POSITIVE_INFINITY;
  const spans: number[] = [];
  const merges: number[] = [];
  let [maximumTokens, partialCount, scoreCount] = [0, 0, 0];
  for (const { begin, end, position: firstPosition, held, sequence } of runs) {
    // Later rows see more keys: they come first, so that no thread ends with the longest work.
    const first = begin + Math.floor((end - begin - 1) / spanTokens) * spanTokens;
    for (let row = first; row >= begin; row -= spanTokens) {
      const tokens = Math.min(spanTokens, end - row);
      const position = firstPosition + row - begin;
      // A position is always in the same lane of the kernel's vectors, of which it takes two at a time.
      const keyBegin = Math.floor(Math.max(0, position - window + 1) / 8) * 8;
      const keyEnd = position + tokens;
      const keys = keyEnd - keyBegin;
      const parts = keys >= 2 * keysPerPart && tokens * 4 <= spanTokens ? keys / keysPerPart : 1;
      const add = (from: number, to: number, partial: number) =>
        spans.push(row, tokens, position, held, sequence, from, to, partial);
      if (parts === 1) {
        add(keyBegin, keyEnd, -1);
      } else {
        merges.push(row, tokens, partialCount, Math.ceil(parts));
        for (let from = keyBegin; from < keyEnd; from += keysPerPart) {
          add(from, Math.min(from + keysPerPart, keyEnd), partialCount++);
        }
      }
      maximumTokens = Math.max(maximumTokens, tokens);
      scoreCount += tokens * keys;
    }
  }
  return {
    spans: Int32Array.from(spans),
    merges: Int32Array.from(merges),
    ...{ maximumTokens, partialCount, scoreCount },
  };
}

/** Runs of the rows of `attention`; see `PastKeys`. */
export function runsOfCall(
  rowStart: Int32Array,
  past: { lengths: Int32Array; sequence: Int32Array } | null,
): RowRun[] {
  return sequencesOf(rowStart).map(({ begin, end }) => {
    const sequence = past?.sequence[begin] ?? 0;
    const held = past?.lengths[sequence] ?? 0;
    return { begin, end, position: held, held, sequence };
  });
}

/** The runs of rows of one sequence each. */
export function sequencesOf(rowStart: Int32Array): { begin: number; end: number }[] {
  const sequences: { begin: number; end: number }[] = [];
  for (let begin = 0, end = 0; begin < rowStart.length; begin = end) {
    end = begin + 1;
    while (end < rowStart.length && rowStart[end] === begin) end++;
    sequences.push({ begin, end });
  }
  return sequences;
}

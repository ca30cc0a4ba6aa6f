import type { AttentionShape, Kernels } from '../../../tensor/kernels.ts';
import { type Runtime, read, update, write } from '../runtime.ts';
import { keyBlock, multiplyGrain, noWindow, roundUp } from './attention.ts';
import { rowsPerSpan, sequencesOf } from './attention-plan.ts';
import { rowGrain } from './grain.ts';

/** Chunks of rows per call to aim for, over all key/value heads: enough to occupy many threads. */
const chunksWanted = 32;
const smallestChunk = 256;

export function attentionBackwardKernels(runtime: Runtime): Pick<Kernels, 'attentionBackward'> {
  return {
    attentionBackward(a) {
      const { heads, keyValueHeads, keyDim, valueDim } = a;
      const { rows } = a.query;
      const group = heads / keyValueHeads;
      const plan = planChunks(a, runtime.ints(a.rowStart));
      const { spanTokens } = plan;
      const chunkCount = plan.chunks.length / 8;
      const [paddedKeyDim, paddedValueDim] = [roundUp(keyDim, 8), roundUp(valueDim, 8)];
      const slabFloats = plan.slabKeys * keyValueHeads * (paddedKeyDim + paddedValueDim);
      const slabs = runtime.scratch(4 * slabFloats);
      const sinkPartials = runtime.scratch(8 * chunkCount * heads);
      const scratchBytes = scratchSize(
        roundUp(spanTokens * group, 6),
        paddedKeyDim,
        paddedValueDim,
      );
      const scratch = runtime.scratch(runtime.threads * scratchBytes);
      const chunks = runtime.scratch(plan.chunks.byteLength);
      const owner = runtime.scratch(plan.owner.byteLength);
      runtime.ints(chunks.tensor).set(plan.chunks);
      runtime.ints(owner.tensor).set(plan.owner);

      const multiplies = (plan.scoreCount * group * (3 * keyDim + 2 * valueDim)) / chunkCount;
      runtime.launch(
        'attentionBackward',
        [
          ...[read(a.query), read(a.key), read(a.value), a.sinks ? read(a.sinks) : 0],
          ...[read(a.out), read(a.logSumExp), read(a.dOut), write(a.dQuery)],
          ...[chunks, slabs, sinkPartials, scratch, heads, keyValueHeads, keyDim, valueDim],
          ...[a.scale, a.valueScale, a.window ?? noWindow, spanTokens, scratchBytes],
        ],
        chunkCount * keyValueHeads,
        Math.max(1, Math.floor(multiplyGrain / multiplies)),
      );
      const sizes = [chunkCount, keyValueHeads, keyDim, valueDim];
      const gradients = [write(a.dKey), write(a.dValue)];
      const grain = rowGrain(keyValueHeads * (keyDim + valueDim));
      runtime.launch('sumSlabs', [chunks, owner, slabs, ...gradients, ...sizes], rows, grain);
      if (!a.dSinks) return;
      const args = [sinkPartials, update(a.dSinks), chunkCount, heads];
      runtime.launch('sumSinkPartials', args, heads, rowGrain(chunkCount));
    },
  };
}

/** Bytes of one thread's scratch memory, divided up by `divideScratch` of the kernel. */
function scratchSize(rows: number, paddedKeyDim: number, paddedValueDim: number): number {
  const rowFloats = 3 * paddedKeyDim + 2 * paddedValueDim + 2 + 2 * keyBlock;
  const keyFloats = 2 * paddedKeyDim + paddedValueDim;
  return roundUp(4 * (rows * rowFloats + keyBlock * keyFloats), 64);
}

interface ChunkPlan {
  /** i32 [n, 8], as the kernel takes them; the chunks of a sequence follow each other. */
  chunks: Int32Array;
  /** The chunk of each row. */
  owner: Int32Array;
  /** Rows of queries that are worked on against the same blocks of keys. */
  spanTokens: number;
  /** Keys in all slabs. */
  slabKeys: number;
  /** Scores computed, for one head. */
  scoreCount: number;
}

/** Cuts sequences into chunks of rows; how depends on sizes only, so that sums do too. */
function planChunks(shape: AttentionShape, rowStart: Int32Array): ChunkPlan {
  const sequences = sequencesOf(rowStart);
  const longest = sequences.reduce((most, { begin, end }) => Math.max(most, end - begin), 0);
  const group = shape.heads / shape.keyValueHeads;
  const spanTokens = Math.max(1, Math.min(Math.floor(rowsPerSpan / group), longest));
  const window = shape.window ?? Number.POSITIVE_INFINITY;
  const wanted = Math.max((rowStart.length * shape.keyValueHeads) / chunksWanted, smallestChunk);
  const chunkRows = roundUp(wanted, spanTokens);
  const chunks: number[] = [];
  const owner = new Int32Array(rowStart.length);
  let [slabKeys, scoreCount] = [0, 0];
  for (const { begin, end } of sequences) {
    for (let row = begin; row < end; row += chunkRows) {
      const rows = Math.min(chunkRows, end - row);
      const position = row - begin;
      const keyBegin = Math.max(0, position - window + 1);
      owner.fill(chunks.length / 8, row, row + rows);
      chunks.push(row, rows, position, keyBegin, slabKeys, 0, 0, 0);
      // Six more, because the kernel adds to six keys at a time.
      slabKeys += position + rows - keyBegin + 6;
      scoreCount += rows * Math.min(position + rows / 2, window);
    }
  }
  return { chunks: Int32Array.from(chunks), owner, spanTokens, slabKeys, scoreCount };
}

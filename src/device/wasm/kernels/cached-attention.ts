import type { InferenceKernels } from '../../../tensor/inference-kernels.ts';
import { bytesPerElement } from '../../../tensor/tensor.ts';
import { type Operand, type Runtime, read, write } from '../runtime.ts';
import { noWindow } from './attention.ts';

/** As in assembly/inference/cached-attention.ts. */
const blockSize = 32;
/** Query vectors that share a pass over keys and values. */
const mostQueries = 32;
/** Positions of a part, where a cache is cut: a matter of position alone, so that sums do not vary. */
const partSize = 1024;
/** From so many spans on, one thread reads all heads of a span: less parallel, but memory in one stream. */
const spansPerThread = 4;
/** Positions that one thread should take at a time, in elements of keys and values. */
const leastElements = 2 ** 14;

export function cachedAttentionKernels(
  runtime: Runtime,
): Pick<InferenceKernels, 'cachedAttention'> {
  return {
    cachedAttention(a) {
      const { query, cache, sinks, heads, keyValueHeads, keyDim, valueDim, window } = a;
      const { rows } = query;
      if (rows === 0) return;
      const layout = runtime.ints(cache.layout);
      const group = heads / keyValueHeads;
      const rowsPerSpan = Math.max(1, Math.floor(mostQueries / group));
      const plan = planSpans(layout, rows, rowsPerSpan, window);
      const queries = Math.ceil((plan.mostRows * group) / 4) * 4;
      const partialBytes = 4 * queries * (Math.ceil(valueDim / 8) * 8 + 2);
      const count = plan.spans.length / 8;
      const joined = count >= spansPerThread * runtime.threads ? keyValueHeads : 1;
      const widenedBytes = cache.keys.dtype === 'f16' ? 4 * blockSize * (keyDim + valueDim) : 0;
      const ownBytes =
        joined * (4 * queries * Math.ceil(keyDim / 8) * 8 + partialBytes) +
        blockSize * 28 +
        widenedBytes;
      const scratchBytes = Math.ceil(ownBytes / 64) * 64;
      const partials = runtime.scratch(plan.partials * keyValueHeads * partialBytes);
      const table = read(cache.layout.slice(2 * rows, cache.layout.size));
      const sinkOperand = sinks ? read(sinks) : 0;
      const format = bytesPerElement[cache.keys.dtype];
      const perItem =
        (plan.positions / count) * (keyDim + valueDim) * Math.ceil(queries / 4) * joined;
      runtime.launch(
        'cachedAttention',
        [
          ...[read(query), read(cache.keys), read(cache.values), table, sinkOperand, write(a.out)],
          ...[integers(runtime, plan.spans), partials],
          runtime.workspace(scratchBytes * runtime.threads),
          ...[
            heads,
            keyValueHeads,
            joined,
            keyDim,
            valueDim,
            a.scale,
            a.valueScale,
            window ?? noWindow,
          ],
          ...[cache.pageSize, cache.width, format, runtime.byteOffset, scratchBytes, partialBytes],
        ],
        (count * keyValueHeads) / joined,
        Math.max(1, Math.floor(leastElements / perItem)),
      );
      if (plan.partials === 0) return;
      const merges = integers(runtime, plan.merges);
      runtime.launch(
        'mergeCachedAttention',
        [
          ...[partials, merges, sinkOperand, write(a.out), heads, keyValueHeads],
          ...[valueDim, a.valueScale, format === 2 ? 1 : 0, partialBytes],
        ],
        (plan.merges.length / 4) * keyValueHeads,
        1,
      );
    },
  };
}

interface Plan {
  /** As the kernels take them. */
  spans: number[];
  merges: number[];
  partials: number;
  mostRows: number;
  /** Of all spans. */
  positions: number;
}

/** Successive rows of successive positions of a sequence are a span, or the parts of one. */
function planSpans(
  layout: Int32Array,
  rows: number,
  rowsPerSpan: number,
  window: number | null,
): Plan {
  const plan: Plan = { spans: [], merges: [], partials: 0, mostRows: 0, positions: 0 };
  for (let begin = 0, end = 0; begin < rows; begin = end) {
    const [position, sequence] = [layout[begin]!, layout[rows + begin]!];
    end = begin + 1;
    while (
      end < rows &&
      end - begin < rowsPerSpan &&
      layout[end] === position + end - begin &&
      layout[rows + end] === sequence
    ) {
      end++;
    }
    const count = end - begin;
    const first = window === null ? 0 : Math.max(0, position - window + 1);
    const last = position + count;
    const firstPart = Math.floor(first / partSize);
    const parts = Math.floor((last - 1) / partSize) + 1 - firstPart;
    plan.mostRows = Math.max(plan.mostRows, count);
    plan.positions += last - first;
    if (parts === 1) {
      plan.spans.push(begin, count, position, sequence, first, last, -1, 0);
      continue;
    }
    plan.merges.push(begin, count, plan.partials, parts);
    for (let part = firstPart; part < firstPart + parts; part++) {
      const from = Math.max(first, part * partSize);
      const to = Math.min(last, (part + 1) * partSize);
      plan.spans.push(begin, count, position, sequence, from, to, plan.partials++, 0);
    }
  }
  return plan;
}

function integers(runtime: Runtime, data: readonly number[]): Operand {
  const operand = runtime.scratch(4 * data.length);
  runtime.ints(operand.tensor).set(data);
  return operand;
}

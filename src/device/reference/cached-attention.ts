import type { InferenceKernels } from '../../tensor/inference-kernels.ts';
import { cacheRow } from '../host/cache-row.ts';
import { attendRow, keyHeadOf } from './attention.ts';
import { floats, ints } from './memory.ts';

export const cachedAttentionKernel: Pick<InferenceKernels, 'cachedAttention'> = {
  cachedAttention(a) {
    const { query, cache, window, keyValueHeads, keyDim, valueDim } = a;
    const layout = ints(cache.layout);
    const [allKeys, allValues] = [floats(cache.keys), floats(cache.values)];
    for (let row = 0; row < query.rows; row++) {
      const [position, sequence] = [layout[row]!, layout[query.rows + row]!];
      const first = window === null ? 0 : Math.max(0, position - window + 1);
      for (let head = 0; head < a.heads; head++) {
        const seen = Array.from({ length: position - first + 1 }, (_, i) => {
          const at = cacheRow(cache, query.rows, layout, sequence, first + i);
          const index = at * keyValueHeads + keyHeadOf(a, head);
          return {
            key: allKeys.subarray(index * keyDim, (index + 1) * keyDim),
            value: allValues.subarray(index * valueDim, (index + 1) * valueDim),
          };
        });
        attendRow(a, row, head, seen);
      }
    }
  },
};

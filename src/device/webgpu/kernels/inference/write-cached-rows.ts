import type { InferenceKernels } from '../../../../tensor/inference-kernels.ts';
import type { Kernels } from '../../../../tensor/kernels.ts';

export function cachedRowsKernels({
  writeRows,
}: Pick<Kernels, 'writeRows'>): Pick<InferenceKernels, 'writeCachedRows' | 'roundToCache'> {
  return {
    writeCachedRows({ key, value, indices, keys, values }) {
      writeRows({ source: key, indices, out: keys });
      writeRows({ source: value, indices, out: values });
    },

    // A cache of f32 gives back what it was given.
    roundToCache() {},
  };
}

import type { InferenceKernels } from '../../../../tensor/inference-kernels.ts';
import type { Kernels } from '../../../../tensor/kernels.ts';
import type { Tensor } from '../../../../tensor/tensor.ts';
import { program } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { halvesFunctions, inHalves } from '../cache-format.ts';
import { eachOf } from '../elementwise.ts';

/** Rows of f32 into a cache of halves, a pair at a time. */
const writeHalfRows = program({
  name: 'writeHalfRows',
  bindings: { source: 'read vec2f', indices: 'read i32', out: 'write u32' },
  parameters: { pairs: 'u32', perRow: 'u32' },
  threads: 256,
  head: halvesFunctions,
  body: eachOf(
    'p.pairs',
    /* wgsl */ `
    let index = indices[i / p.perRow];
    let pair = source[i];
    if (index >= 0) { out[u32(index) * p.perRow + i % p.perRow] = packHalves(pair.x, pair.y); }`,
  ),
});

const roundToHalves = program({
  name: 'roundToHalves',
  bindings: { x: 'write vec2f' },
  parameters: { pairs: 'u32' },
  threads: 256,
  head: halvesFunctions,
  body: eachOf('p.pairs', `x[i] = vec2f(roundToHalf(x[i].x), roundToHalf(x[i].y));`),
});

export function cachedRowsKernels(
  runtime: Runtime,
  { writeRows }: Pick<Kernels, 'writeRows'>,
): Pick<InferenceKernels, 'writeCachedRows' | 'roundToCache'> {
  const write = (source: Tensor, indices: Tensor, cache: Tensor) => {
    if (!inHalves(cache)) {
      writeRows({ source, indices, out: cache });
      return;
    }
    const sizes = { pairs: source.size / 2, perRow: source.columns / 2 };
    const grid = runtime.grid(sizes.pairs, writeHalfRows.threads);
    runtime.run(writeHalfRows, { source, indices, out: cache }, sizes, grid);
  };
  return {
    writeCachedRows({ key, value, indices, keys, values }) {
      write(key, indices, keys);
      write(value, indices, values);
    },

    roundToCache({ x, type }) {
      if (type !== 'f16') return;
      const pairs = x.size / 2;
      runtime.run(roundToHalves, { x }, { pairs }, runtime.grid(pairs, roundToHalves.threads));
    },
  };
}

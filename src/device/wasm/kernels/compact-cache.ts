import type { CacheType } from '../../../tensor/cache-type.ts';
import type { InferenceKernels, RowsToCache } from '../../../tensor/inference-kernels.ts';
import type { Kernels, PastKeys } from '../../../tensor/kernels.ts';
import { Tensor } from '../../../tensor/tensor.ts';
import { type Runtime, read, update, write } from '../runtime.ts';
import { elementGrain, rowGrain } from './grain.ts';

/** Writing rows to a cache of f32, f16 or i8, and reading them back for attention of many rows. */
export class CompactCache {
  readonly #runtime: Runtime;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  writeRows({ key, value, indices, keyValueHeads, keys, values }: RowsToCache): void {
    this.#write(key, indices, keys, keyValueHeads, 'keys');
    this.#write(value, indices, values, keyValueHeads, 'values');
  }

  /** source [T,·] to rows `indices` of keys or values. */
  #write(
    source: Tensor,
    indices: Tensor,
    cache: Tensor,
    keyValueHeads: number,
    kind: 'keys' | 'values',
  ): void {
    const runtime = this.#runtime;
    const { columns } = source;
    const common = [read(source), read(indices), update(cache)];
    if (cache.dtype === 'i8') {
      const head = columns / keyValueHeads;
      const shape = [keyValueHeads, head, kind === 'values' ? 1 : 0, runtime.byteOffset];
      runtime.launch('writeByteRows', [...common, ...shape], indices.size, rowGrain(8 * columns));
    } else {
      const kernel = cache.dtype === 'f16' ? 'writeHalfRows' : 'writeRows';
      runtime.launch(kernel, [...common, columns], indices.size, rowGrain(columns));
    }
  }

  /** x [T, heads·n] in its place, as the cache will give it back. */
  round(x: Tensor, heads: number, type: CacheType): void {
    const runtime = this.#runtime;
    if (type === 'f16') runtime.launch('roundToHalves', [update(x)], x.size, elementGrain);
    if (type !== 'i8') return;
    const columns = x.columns / heads;
    runtime.launch('roundToBytes', [update(x), columns], x.rows * heads, rowGrain(4 * columns));
  }

  /** The same past in f32, its pages one sequence after another, in scratch memory. */
  expand(past: PastKeys, { keyValueHeads, keyDim, valueDim }: HeadShape): PastKeys {
    if (past.keys.dtype === 'f32') return past;
    const runtime = this.#runtime;
    const { pageSize } = past;
    const [table, lengths] = [runtime.ints(past.table), runtime.ints(past.lengths)];
    const width = past.table.columns;
    const renumbered = new Int32Array(table.length);
    const rows: number[] = [];
    for (let s = 0; s < lengths.length; s++) {
      const pages = Math.min(width, Math.ceil(lengths[s]! / pageSize));
      for (let page = 0; page < pages; page++) {
        renumbered[s * width + page] = rows.length / pageSize;
        const first = table[s * width + page]! * pageSize;
        for (let row = 0; row < pageSize; row++) rows.push(first + row);
      }
    }
    const places = this.#integers(rows);
    const expanded = (cache: Tensor, columns: number, areValues: number): Tensor => {
      const scratch = runtime.scratch(Math.max(4, rows.length * keyValueHeads * columns * 4));
      const out = scratch.tensor;
      const width = keyValueHeads * columns;
      const operands = [read(cache), read(places), write(out)];
      if (cache.dtype === 'i8') {
        const shape = [keyValueHeads, columns, areValues, runtime.byteOffset];
        runtime.launch('expandByteRows', [...operands, ...shape], rows.length, rowGrain(4 * width));
      } else {
        runtime.launch('expandHalfRows', [...operands, width], rows.length, rowGrain(2 * width));
      }
      return new Tensor([rows.length, width], 'f32', out.storage, out.byteOffset);
    };
    const pages = this.#integers(renumbered);
    return {
      ...past,
      keys: expanded(past.keys, keyDim, 0),
      values: expanded(past.values, valueDim, 1),
      table: pages.reshape(past.table.shape),
    };
  }

  #integers(data: ArrayLike<number>): Tensor {
    const integers = this.#runtime.scratchIntegers(data.length);
    this.#runtime.ints(integers).set(data);
    return integers;
  }
}

interface HeadShape {
  keyValueHeads: number;
  keyDim: number;
  valueDim: number;
}

/** Caches of any type, and `attention` with a past in one. */
export function compactCacheKernels(
  runtime: Runtime,
  base: Pick<Kernels, 'attention'>,
): Pick<Kernels, 'attention'> & Pick<InferenceKernels, 'writeCachedRows' | 'roundToCache'> {
  const compact = new CompactCache(runtime);
  return {
    attention(a) {
      base.attention({ ...a, past: a.past && compact.expand(a.past, a) });
    },
    writeCachedRows: (a) => compact.writeRows(a),
    roundToCache: ({ x, heads, type }) => compact.round(x, heads, type),
  };
}

/**
 * Caches of f16 and i8 on the reference device: turned into f32 for every call. A row of i8 has its heads
 * one after another, each as signed bytes and the scale that they are multiplied by.
 */
import { cachedHeadSize } from '../../tensor/cache-type.ts';
import { halfCode, halfTable } from '../../tensor/half.ts';
import type { InferenceKernels } from '../../tensor/inference-kernels.ts';
import type { Kernels } from '../../tensor/kernels.ts';
import { Tensor } from '../../tensor/tensor.ts';
import { bufferOf, floats, type HostStorage, ints } from './memory.ts';

type Attention = Pick<Kernels, 'attention'> & Pick<InferenceKernels, 'cachedAttention'>;

const largestHalf = 65504;

/** Writing to caches of any type, and the kernels that read them, given those for f32. */
export function compactCacheKernels(
  base: Attention,
): Attention & Pick<InferenceKernels, 'writeCachedRows' | 'roundToCache'> {
  return {
    attention(a) {
      base.attention({ ...a, past: a.past && { ...a.past, ...expanded(a.past, a) } });
    },

    cachedAttention(a) {
      base.cachedAttention({ ...a, cache: { ...a.cache, ...expanded(a.cache, a) } });
    },

    writeCachedRows({ key, value, indices, keyValueHeads, keys, values }) {
      for (const [source, cache] of [[key, keys] as const, [value, values] as const]) {
        const numbers = source.columns / keyValueHeads;
        const from = floats(source);
        ints(indices).forEach((index, row) => {
          for (let head = 0; index >= 0 && head < keyValueHeads; head++) {
            const begin = (row * keyValueHeads + head) * numbers;
            const at = index * keyValueHeads + head;
            writeHead(cache, at, from.subarray(begin, begin + numbers));
          }
        });
      }
    },

    roundToCache({ x, heads, type }) {
      const numbers = x.columns / heads;
      const shape = [1, cachedHeadSize(type, numbers)];
      // In whole words, and a head is no more than its numbers in f32 and a scale.
      const buffer = new ArrayBuffer(4 * numbers + 4);
      const head = new Tensor(shape, type, {
        byteLength: buffer.byteLength,
        buffer,
      } as HostStorage);
      const data = floats(x);
      for (let begin = 0; begin < data.length; begin += numbers) {
        writeHead(head, 0, data.subarray(begin, begin + numbers));
        readHead(head, 0, data.subarray(begin, begin + numbers));
      }
    },
  };
}

function expanded(
  { keys, values }: { keys: Tensor; values: Tensor },
  { keyValueHeads, keyDim, valueDim }: { keyValueHeads: number; keyDim: number; valueDim: number },
): { keys: Tensor; values: Tensor } {
  const inFloats = (cache: Tensor, numbers: number) => {
    if (cache.dtype === 'f32') return cache;
    const heads = cache.rows * keyValueHeads;
    const data = new Float32Array(heads * numbers);
    for (let head = 0; head < heads; head++) {
      readHead(cache, head, data.subarray(head * numbers, (head + 1) * numbers));
    }
    const storage = { byteLength: data.byteLength, buffer: data.buffer } as HostStorage;
    return new Tensor([cache.rows, keyValueHeads * numbers], 'f32', storage);
  };
  return { keys: inFloats(keys, keyDim), values: inFloats(values, valueDim) };
}

/** `head`: of all heads of all rows. */
function writeHead(cache: Tensor, head: number, numbers: Float32Array): void {
  const size = numbers.length;
  if (cache.dtype === 'f32') {
    floats(cache).set(numbers, head * size);
    return;
  }
  const view = viewOf(cache);
  if (cache.dtype === 'f16') {
    numbers.forEach((x, i) => {
      const half = halfOf(Math.max(-largestHalf, Math.min(x, largestHalf)));
      view.setUint16(2 * (head * size + i), half, true);
    });
    return;
  }
  const begin = head * cachedHeadSize('i8', size);
  const scale = Math.fround(numbers.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127);
  numbers.forEach((x, i) => {
    view.setInt8(begin + i, scale > 1e-30 ? Math.round(x / scale) : 0);
  });
  view.setFloat32(begin + size, scale, true);
}

function readHead(cache: Tensor, head: number, out: Float32Array): void {
  const size = out.length;
  if (cache.dtype === 'f32') {
    out.set(floats(cache).subarray(head * size, (head + 1) * size));
    return;
  }
  const view = viewOf(cache);
  if (cache.dtype === 'f16') {
    const bits = new Uint32Array(out.buffer, out.byteOffset, size);
    for (let i = 0; i < size; i++)
      bits[i] = halfTable()[view.getUint16(2 * (head * size + i), true)]!;
    return;
  }
  const begin = head * cachedHeadSize('i8', size);
  const scale = view.getFloat32(begin + size, true);
  for (let i = 0; i < size; i++) out[i] = scale * view.getInt8(begin + i);
}

const float = new Float32Array(1);
const bitsOfFloat = new Uint32Array(float.buffer);

function halfOf(x: number): number {
  float[0] = x;
  return halfCode(bitsOfFloat[0]!);
}

function viewOf(cache: Tensor): DataView {
  return new DataView(bufferOf(cache), cache.byteOffset, cache.byteLength);
}

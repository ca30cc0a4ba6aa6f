import type { Kernels } from '../../tensor/kernels.ts';
import { bufferOf, floats } from './memory.ts';

export const elementwiseKernels: Pick<Kernels, 'fill' | 'copy' | 'add'> = {
  fill({ out, value }) {
    floats(out).fill(value);
  },

  copy({ source, out }) {
    const bytes = new Uint8Array(bufferOf(source), source.byteOffset, source.byteLength);
    new Uint8Array(bufferOf(out), out.byteOffset, out.byteLength).set(bytes);
  },

  add({ a, b, out }) {
    const [left, right, sum] = [floats(a), floats(b), floats(out)];
    for (let i = 0; i < sum.length; i++) sum[i] = left[i]! + right[i]!;
  },
};

import type { Kernels } from '../../../tensor/kernels.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import { type Runtime, read, write } from '../runtime.ts';

/** Elements a thread takes at a time: far more than a hand-over costs, and in the cache. */
const grain = 16384;

export function elementwiseKernels(runtime: Runtime): Pick<Kernels, 'fill' | 'copy' | 'add'> {
  return {
    fill({ out, value }) {
      runtime.launch('fill', [write(out), value], out.size, grain);
    },
    copy({ source, out }) {
      runtime.launch('copy', [read(source), write(out)], out.size, grain);
    },
    add({ a, b, out }) {
      runtime.launch('add', [read(a), read(b), write(out)], out.size, grain);
    },
  };
}

/** out += x, for kernels without a loop of their own for it. */
export function addTo(runtime: Runtime, x: Tensor, out: Tensor): void {
  runtime.launch('add', [read(x), read(out), write(out)], out.size, grain);
}

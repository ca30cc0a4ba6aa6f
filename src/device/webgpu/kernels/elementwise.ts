import type { Kernels } from '../../../tensor/kernels.ts';
import { program } from '../program.ts';
import type { Runtime } from '../runtime.ts';

/** A body that handles elements one by one: each thread takes every n-th, n the threads of the grid. */
export function eachOf(size: string, work: string): string {
  return /* wgsl */ `
  for (var i = group.x * threads + thread; i < ${size}; i += groups.x * threads) {${work}
  }`;
}

export const fill = program({
  name: 'fill',
  bindings: { out: 'write f32' },
  parameters: { begin: 'u32', size: 'u32', value: 'f32' },
  threads: 256,
  body: eachOf('p.size', 'out[p.begin + i] = p.value;'),
});

const add = program({
  name: 'add',
  bindings: { a: 'read f32', b: 'read f32', out: 'write f32' },
  parameters: { size: 'u32' },
  threads: 256,
  body: eachOf('p.size', 'out[i] = a[i] + b[i];'),
});

/** A buffer cannot be read and written under two names, so adding in place is a program of its own. */
const addTo = program({
  name: 'add',
  bindings: { a: 'read f32', out: 'write f32' },
  parameters: { size: 'u32' },
  threads: 256,
  body: eachOf('p.size', 'out[i] += a[i];'),
});

export function elementwiseKernels(runtime: Runtime): Pick<Kernels, 'fill' | 'copy' | 'add'> {
  return {
    fill({ out, value }) {
      const { tensor, begin } = runtime.alignedDown(out);
      const grid = runtime.grid(out.size, fill.threads);
      runtime.run(fill, { out: tensor }, { begin, size: out.size, value }, grid);
    },

    copy({ source, out }) {
      runtime.copyWords(source, out);
    },

    add({ a, b, out }) {
      const size = { size: out.size };
      const grid = runtime.grid(out.size, add.threads);
      if (sameMemory(a, out)) runtime.run(addTo, { a: b, out }, size, grid);
      else if (sameMemory(b, out)) runtime.run(addTo, { a, out }, size, grid);
      else runtime.run(add, { a, b, out }, size, grid);
    },
  };
}

/** Whether two tensors of one size are the same elements. */
export function sameMemory(
  a: { storage: unknown; byteOffset: number },
  b: { storage: unknown; byteOffset: number },
): boolean {
  return a.storage === b.storage && a.byteOffset === b.byteOffset;
}

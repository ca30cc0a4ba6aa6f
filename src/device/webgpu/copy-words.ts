import { program } from './program.ts';

/** Copies `size` words of any type, from and to any place. */
export const copyWords = program({
  name: 'copy',
  bindings: { source: 'read u32', out: 'write u32' },
  parameters: { size: 'u32', sourceBegin: 'u32', outBegin: 'u32' },
  threads: 256,
  body: /* wgsl */ `
  for (var i = group.x * threads + thread; i < p.size; i += groups.x * threads) {
    out[p.outBegin + i] = source[p.sourceBegin + i];
  }`,
});

/** The distribution of a row and the draw from it in one dispatch: a workgroup a row, as in both. */
import type { FusedKernels } from '../../../../tensor/fused-kernels.ts';
import { program, programs } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { drawing } from './draw.ts';
import {
  distribution,
  distributionHead,
  rowThreads,
  type Sampling,
} from './sampling-distribution.ts';

const sampleTokens = programs(({ copies, ...options }: Sampling & { copies: number }) =>
  program({
    name: 'sampleTokens',
    directives: subgroupDirectives(options.subgroupSize),
    bindings: {
      logits: 'write f32',
      settings: 'read vec4f',
      uniforms: 'read f32',
      places: 'read i32',
      out: 'write i32',
    },
    parameters: {},
    threads: options.threads,
    head: /* wgsl */ `
var<private> rowBegin: u32;
fn weightAt(column: u32) -> f32 { return logits[rowBegin + column]; }
${distributionHead(options)}
${drawing(options)}`,
    body: /* wgsl */ `
  ${distribution(options)}
  // Threads draw from columns that others have written.
  storageBarrier();
  rowBegin = group.x * ${options.columns}u;
  let token = draw(uniforms[group.x], thread);
  for (var i = thread; i < ${copies}u; i += threads) {
    let place = places[group.x * ${copies}u + i];
    if (place >= 0) { out[place] = i32(token); }
  }`,
  }),
);

export function sampleTokensKernel(runtime: Runtime): Pick<FusedKernels, 'sampleTokens'> {
  return {
    sampleTokens({ logits, settings, vocabSize, uniforms, places, out }) {
      const { columns, rows } = logits;
      const { subgroupSize } = runtime;
      const threads = rowThreads(runtime, columns);
      runtime.run(
        sampleTokens({ copies: places.columns, columns, vocabSize, threads, subgroupSize }),
        { logits, settings, uniforms, places, out },
        {},
        [rows, 1, 1],
      );
    },
  };
}

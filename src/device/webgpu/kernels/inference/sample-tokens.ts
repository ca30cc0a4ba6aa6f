/** The distribution of a row and the draw from it in one dispatch: a workgroup a row, as in both. */
import type { FusedKernels } from '../../../../tensor/fused-kernels.ts';
import { program, programs } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { rowDrawing } from './draw.ts';
import {
  distribution,
  distributionHead,
  rowOptions,
  type Sampling,
} from './sampling-distribution.ts';

const sampleTokens = programs(({ copies, ...options }: Sampling & { copies: number }) => {
  const { bindings, head, body } = rowDrawing('logits', copies, options);
  return program({
    name: 'sampleTokens',
    directives: subgroupDirectives(options.subgroupSize),
    bindings: { logits: 'write f32', settings: 'read vec4f', ...bindings },
    parameters: {},
    threads: options.threads,
    head: `${distributionHead(options)}${head}`,
    body: /* wgsl */ `
  ${distribution(options)}
  // Threads draw from columns that others have written.
  storageBarrier();
  ${body}`,
  });
});

export function sampleTokensKernel(runtime: Runtime): Pick<FusedKernels, 'sampleTokens'> {
  return {
    sampleTokens({ logits, settings, vocabSize, uniforms, places, out }) {
      const { columns, rows } = logits;
      const options = { ...rowOptions(runtime, columns), vocabSize, copies: places.columns };
      const tensors = { logits, settings, uniforms, places, out };
      runtime.run(sampleTokens(options), tensors, {}, [rows, 1, 1]);
    },
  };
}

import type { Kernels } from '../../../tensor/kernels.ts';
import type { Runtime } from '../runtime.ts';
import { activationKernels } from './activation.ts';
import { attentionKernels } from './attention/attention.ts';
import { balanceKernels } from './balance.ts';
import { elementwiseKernels } from './elementwise.ts';
import { expertKernels } from './experts.ts';
import { attentionInputsKernel } from './inference/attention-inputs.ts';
import { cachedAttentionKernel } from './inference/cached-attention.ts';
import { drawKernels } from './inference/draw.ts';
import { expertProductsKernel } from './inference/expert-products.ts';
import { gatedProductKernels } from './inference/gated-product.ts';
import { logitKernels } from './inference/logits.ts';
import { routeTokensKernel } from './inference/route-tokens.ts';
import { samplingDistributionKernel } from './inference/sampling-distribution.ts';
import { scoreTokensKernel } from './inference/score-tokens.ts';
import { logprobKernels } from './logprobs.ts';
import { groupedMatmulKernels } from './matmul/grouped.ts';
import { groupedSwigluKernel } from './matmul/grouped-swiglu.ts';
import { matmulKernel } from './matmul/matmul.ts';
import { normKernels } from './norm.ts';
import { optimizerKernels } from './optimizer.ts';
import { rotaryKernels } from './rotary.ts';
import { routerKernels } from './router.ts';
import { rowKernels } from './rows.ts';

/** All kernels: one file a family. */
export function webgpuKernels(runtime: Runtime): Kernels {
  const activation = activationKernels(runtime);
  const rows = rowKernels(runtime);
  const grouped = groupedMatmulKernels(runtime, rows);
  return {
    ...activation,
    ...attentionKernels(runtime),
    ...balanceKernels(runtime),
    ...elementwiseKernels(runtime),
    ...expertKernels(runtime),
    ...grouped,
    ...groupedSwigluKernel(runtime, { ...activation, ...rows, ...grouped }),
    ...logprobKernels(runtime),
    ...matmulKernel(runtime),
    ...normKernels(runtime),
    ...optimizerKernels(runtime),
    ...rotaryKernels(runtime),
    ...routerKernels(runtime),
    ...attentionInputsKernel(runtime),
    ...cachedAttentionKernel(runtime),
    ...drawKernels(runtime),
    ...logitKernels(runtime),
    ...scoreTokensKernel(runtime),
    ...expertProductsKernel(runtime),
    ...gatedProductKernels(runtime),
    ...routeTokensKernel(runtime),
    ...samplingDistributionKernel(runtime),
    ...rows,
  };
}

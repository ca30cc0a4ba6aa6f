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
import { routeTokensKernel } from './inference/route-tokens.ts';
import { samplingDistributionKernel } from './inference/sampling-distribution.ts';
import { logprobKernels } from './logprobs.ts';
import { groupedMatmulKernels } from './matmul/grouped.ts';
import { matmulKernel } from './matmul/matmul.ts';
import { normKernels } from './norm.ts';
import { optimizerKernels } from './optimizer.ts';
import { rotaryKernels } from './rotary.ts';
import { routerKernels } from './router.ts';
import { rowKernels } from './rows.ts';

/** All kernels: one file a family. */
export function webgpuKernels(runtime: Runtime): Kernels {
  return {
    ...activationKernels(runtime),
    ...attentionKernels(runtime),
    ...balanceKernels(runtime),
    ...elementwiseKernels(runtime),
    ...expertKernels(runtime),
    ...groupedMatmulKernels(runtime),
    ...logprobKernels(runtime),
    ...matmulKernel(runtime),
    ...normKernels(runtime),
    ...optimizerKernels(runtime),
    ...rotaryKernels(runtime),
    ...routerKernels(runtime),
    ...rowKernels(runtime),
    ...attentionInputsKernel(runtime),
    ...cachedAttentionKernel(runtime),
    ...drawKernels(runtime),
    ...expertProductsKernel(runtime),
    ...gatedProductKernels(runtime),
    ...routeTokensKernel(runtime),
    ...samplingDistributionKernel(runtime),
  };
}

import type { Device } from '../../../tensor/device.ts';
import type { Kernels } from '../../../tensor/kernels.ts';
import type { Matrix } from '../../../tensor/quantized-matrix.ts';
import { composedKernels } from '../../host/composed.ts';
import type { Runtime } from '../runtime.ts';
import { activationKernels } from './activation.ts';
import { attentionKernels } from './attention/attention.ts';
import { balanceKernels } from './balance.ts';
import { elementwiseKernels } from './elementwise.ts';
import { expertKernels } from './experts.ts';
import { addAttentionKernel } from './inference/add-attention.ts';
import { attentionInputsKernels } from './inference/attention-inputs.ts';
import { cachedAttentionKernel } from './inference/cached-attention.ts';
import { drawKernels } from './inference/draw.ts';
import { expertProductsKernel } from './inference/expert-products.ts';
import { gatedProductKernels } from './inference/gated-product.ts';
import { logitKernels } from './inference/logits.ts';
import { manyRowKernels } from './inference/many-rows.ts';
import { normProductKernels } from './inference/norm-product.ts';
import { routeTokensKernel } from './inference/route-tokens.ts';
import { routedExpertsKernel } from './inference/routed-experts.ts';
import { sampleTokensKernel } from './inference/sample-tokens.ts';
import { samplingDistributionKernel } from './inference/sampling-distribution.ts';
import { scoreTokensKernel } from './inference/score-tokens.ts';
import { cachedRowsKernels } from './inference/write-cached-rows.ts';
import { logprobKernels } from './logprobs.ts';
import { groupedMatmulKernels } from './matmul/grouped.ts';
import { groupedSwigluKernel } from './matmul/grouped-swiglu.ts';
import { matmulKernel } from './matmul/matmul.ts';
import { normKernels } from './norm.ts';
import { optimizerKernels } from './optimizer.ts';
import { rotaryKernels } from './rotary.ts';
import { routerKernels } from './router.ts';
import { rowKernels } from './rows.ts';

/** All kernels: one file a family. `device` is the one whose kernels they will be. */
export function webgpuKernels(runtime: Runtime, device: Device): Kernels<Matrix> {
  const composed = composedKernels(device);
  const activation = activationKernels(runtime);
  const rows = rowKernels(runtime);
  const grouped = groupedMatmulKernels(runtime, rows);
  const ofFewRows = {
    ...composed,
    ...addAttentionKernel(runtime, composed),
    ...attentionInputsKernels(runtime, composed),
    ...expertProductsKernel(runtime),
    ...gatedProductKernels(runtime),
    ...normProductKernels(runtime, composed, rows),
    ...routedExpertsKernel(runtime, device, composed),
  };
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
    ...ofFewRows,
    ...manyRowKernels(runtime, device, ofFewRows, composed),
    ...cachedAttentionKernel(runtime),
    ...cachedRowsKernels(runtime, rows),
    ...drawKernels(runtime),
    ...logitKernels(runtime),
    ...scoreTokensKernel(runtime),
    ...routeTokensKernel(runtime),
    ...sampleTokensKernel(runtime),
    ...samplingDistributionKernel(runtime),
    ...rows,
  };
}

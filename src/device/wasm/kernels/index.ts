import type { Device } from '../../../tensor/device.ts';
import type { Kernels } from '../../../tensor/kernels.ts';
import type { Matrix } from '../../../tensor/quantized-matrix.ts';
import { hostLogitKernels } from '../../host/logits.ts';
import type { Runtime } from '../runtime.ts';
import { activationKernels } from './activation.ts';
import { attentionKernels } from './attention.ts';
import { attentionBackwardKernels } from './attention-backward.ts';
import { cachedAttentionKernels } from './cached-attention.ts';
import { compactCacheKernels } from './compact-cache.ts';
import { elementwiseKernels } from './elementwise.ts';
import { balanceKernels, expertKernels } from './experts.ts';
import { fusedKernels } from './fused.ts';
import { inferenceKernels, withQuantizedWeights } from './inference.ts';
import { logprobKernels } from './logprobs.ts';
import { matmulKernels } from './matmul.ts';
import { normKernels } from './norm.ts';
import { optimizerKernels } from './optimizer.ts';
import { rotaryKernels } from './rotary.ts';
import { rowKernels } from './rows.ts';
import { samplingKernels } from './sampling.ts';

/** All kernels: one file a family. `device` is the one whose kernels they will be. */
export function wasmKernels(runtime: Runtime, device: Device): Kernels<Matrix> {
  const training = {
    ...elementwiseKernels(runtime),
    ...attentionKernels(runtime),
    ...attentionBackwardKernels(runtime),
    ...matmulKernels(runtime),
    ...rowKernels(runtime),
    ...rotaryKernels(runtime),
    ...optimizerKernels(runtime),
    ...normKernels(runtime),
    ...logprobKernels(runtime),
    ...expertKernels(runtime),
    ...balanceKernels(runtime),
    ...activationKernels(runtime),
  };
  return {
    ...training,
    ...withQuantizedWeights(runtime, training),
    ...inferenceKernels(runtime),
    ...cachedAttentionKernels(runtime),
    ...compactCacheKernels(runtime, training),
    ...fusedKernels(runtime, device),
    ...hostLogitKernels(runtime),
    ...samplingKernels(runtime),
  };
}

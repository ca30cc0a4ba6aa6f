import type { Kernels } from '../../../tensor/kernels.ts';
import type { Runtime } from '../runtime.ts';
import { activationKernels } from './activation.ts';
import { attentionKernels } from './attention/attention.ts';
import { balanceKernels } from './balance.ts';
import { elementwiseKernels } from './elementwise.ts';
import { expertKernels } from './experts.ts';
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
    ...rows,
  };
}

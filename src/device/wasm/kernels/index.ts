import type { Kernels } from '../../../tensor/kernels.ts';
import type { Runtime } from '../runtime.ts';
import { elementwiseKernels } from './elementwise.ts';

/** All kernels: one file a family. */
export function wasmKernels(runtime: Runtime): Kernels {
  return {
    ...elementwiseKernels(runtime),
  } as Kernels; // TODO: drop the cast once every family is here.
}

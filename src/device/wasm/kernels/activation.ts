import type { Kernels } from '../../../tensor/kernels.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import { type Runtime, read, write } from '../runtime.ts';

/** Elements a thread takes at a time; an element costs an exponential. */
const grain = 4096;

export function activationKernels(runtime: Runtime): Pick<Kernels, 'swiglu' | 'swigluBackward'> {
  return {
    swiglu({ gate, up, out }) {
      launchSwiglu(runtime, gate, up, out);
    },

    swigluBackward({ gate, up, dOut, dGate, dUp }) {
      const args = [read(gate), read(up), read(dOut), write(dGate), write(dUp)];
      runtime.launch('swigluBackward', args, dOut.size, grain);
    },
  };
}

export function launchSwiglu(runtime: Runtime, gate: Tensor, up: Tensor, out: Tensor): void {
  runtime.launch('swiglu', [read(gate), read(up), write(out)], out.size, grain);
}

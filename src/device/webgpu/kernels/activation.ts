import type { Kernels } from '../../../tensor/kernels.ts';
import { program } from '../program.ts';
import type { Runtime } from '../runtime.ts';
import { eachOf } from './elementwise.ts';

/** exp(−x) overflows for very negative x, where 1/(1 + ∞) is still the 0 that we want. */
export const sigmoid = /* wgsl */ `
fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(-clamp(x, -87.0, 87.0))); }
`;

const swiglu = program({
  name: 'swiglu',
  bindings: { gate: 'read f32', up: 'read f32', out: 'write f32' },
  parameters: { size: 'u32' },
  threads: 256,
  head: sigmoid,
  body: eachOf('p.size', 'out[i] = gate[i] * sigmoid(gate[i]) * up[i];'),
});

const swigluBackward = program({
  name: 'swigluBackward',
  bindings: {
    gate: 'read f32',
    up: 'read f32',
    dOut: 'read f32',
    dGate: 'write f32',
    dUp: 'write f32',
  },
  parameters: { size: 'u32' },
  threads: 256,
  head: sigmoid,
  body: eachOf(
    'p.size',
    /* wgsl */ `
    let g = gate[i];
    let s = sigmoid(g);
    dUp[i] = dOut[i] * g * s;
    dGate[i] = dOut[i] * up[i] * s * (1.0 + g * (1.0 - s));`,
  ),
});

export function activationKernels(runtime: Runtime): Pick<Kernels, 'swiglu' | 'swigluBackward'> {
  return {
    swiglu({ gate, up, out }) {
      const grid = runtime.grid(out.size, swiglu.threads);
      runtime.run(swiglu, { gate, up, out }, { size: out.size }, grid);
    },

    swigluBackward({ gate, up, dOut, dGate, dUp }) {
      const grid = runtime.grid(dOut.size, swigluBackward.threads);
      const tensors = { gate, up, dOut, dGate, dUp };
      runtime.run(swigluBackward, tensors, { size: dOut.size }, grid);
    },
  };
}

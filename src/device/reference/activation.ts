import type { Kernels } from '../../tensor/kernels.ts';
import { floats } from './memory.ts';

export const activationKernels: Pick<Kernels, 'swiglu' | 'swigluBackward'> = {
  swiglu({ gate, up, out }) {
    const [g, u, output] = [floats(gate), floats(up), floats(out)];
    for (let i = 0; i < output.length; i++) output[i] = g[i]! * sigmoid(g[i]!) * u[i]!;
  },

  swigluBackward({ gate, up, dOut, dGate, dUp }) {
    const [g, u, gradient] = [floats(gate), floats(up), floats(dOut)];
    const [toGate, toUp] = [floats(dGate), floats(dUp)];
    for (let i = 0; i < gradient.length; i++) {
      const s = sigmoid(g[i]!);
      toUp[i] = gradient[i]! * g[i]! * s;
      toGate[i] = gradient[i]! * u[i]! * s * (1 + g[i]! * (1 - s));
    }
  },
};

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

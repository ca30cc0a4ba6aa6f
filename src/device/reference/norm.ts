import type { Kernels } from '../../tensor/kernels.ts';
import { floats } from './memory.ts';

export const normKernels: Pick<Kernels, 'rmsNorm' | 'rmsNormBackward'> = {
  rmsNorm({ x, weight, epsilon, out, inverseRms }) {
    const [input, scale, output, inverse] = [x, weight, out, inverseRms].map(floats) as Arrays4;
    const width = x.columns;
    for (let row = 0; row < x.rows; row++) {
      let squares = 0;
      for (let i = 0; i < width; i++) squares += input[row * width + i]! ** 2;
      const factor = 1 / Math.sqrt(squares / width + epsilon);
      inverse[row] = factor;
      for (let i = 0; i < width; i++) {
        output[row * width + i] = input[row * width + i]! * factor * scale[i]!;
      }
    }
  },

  // With r = inverseRms and g = dOut·weight:  dx = r·g − r³·x·mean(g·x).
  rmsNormBackward({ x, weight, inverseRms, dOut, dX, dWeight, residual }) {
    const [input, scale, inverse, gradient] = [x, weight, inverseRms, dOut].map(floats) as Arrays4;
    const dInput = floats(dX);
    const added = residual && floats(residual);
    const width = x.columns;
    const dScale = new Float64Array(width);
    for (let row = 0; row < x.rows; row++) {
      const r = inverse[row]!;
      let dot = 0;
      for (let i = 0; i < width; i++) {
        const at = row * width + i;
        dot += gradient[at]! * scale[i]! * input[at]!;
        dScale[i] = dScale[i]! + gradient[at]! * input[at]! * r;
      }
      for (let i = 0; i < width; i++) {
        const at = row * width + i;
        dInput[at] = r * gradient[at]! * scale[i]! - (r ** 3 * input[at]! * dot) / width;
        // Rounded before it is added, as if by a kernel of its own.
        if (added) dInput[at] = dInput[at]! + added[at]!;
      }
    }
    if (!dWeight) return;
    const total = floats(dWeight);
    for (let i = 0; i < width; i++) total[i] = total[i]! + dScale[i]!;
  },
};

type Arrays4 = [Float32Array, Float32Array, Float32Array, Float32Array];

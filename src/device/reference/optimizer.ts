import type { Kernels } from '../../tensor/kernels.ts';
import { floats } from './memory.ts';

export const optimizerKernels: Pick<Kernels, 'gradientStatistics' | 'adamw'> = {
  gradientStatistics({ x, out }) {
    const [data, statistics] = [floats(x), floats(out)];
    const parts = out.shape[0]!;
    const size = data.length / parts;
    for (let part = 0; part < parts; part++) {
      let squares = 0;
      let zeros = 0;
      for (const value of data.subarray(part * size, (part + 1) * size)) {
        squares += value * value;
        if (value === 0) zeros++;
      }
      statistics[2 * part] = squares;
      statistics[2 * part + 1] = zeros;
    }
  },

  adamw(a) {
    const [p, g, m, v] = [
      floats(a.parameter),
      floats(a.gradient),
      floats(a.firstMoment),
      floats(a.secondMoment),
    ];
    const correction1 = 1 - a.beta1 ** a.step;
    const correction2 = 1 - a.beta2 ** a.step;
    for (let i = 0; i < p.length; i++) {
      const gradient = g[i]! * a.gradientScale;
      m[i] = a.beta1 * m[i]! + (1 - a.beta1) * gradient;
      v[i] = a.beta2 * v[i]! + (1 - a.beta2) * gradient * gradient;
      const update = m[i]! / correction1 / (Math.sqrt(v[i]! / correction2) + a.epsilon);
      p[i] = p[i]! - a.rate * (update + a.decay * p[i]!);
    }
  },
};

import type { Kernels } from '../../tensor/kernels.ts';
import { rotaryTable } from '../../tensor/rotary-table.ts';
import { floats, ints } from './memory.ts';

export const rotaryKernels: Pick<Kernels, 'rotary'> = {
  rotary({ x, positions, headDim, rotaryDim, theta, inverse, out }) {
    const [input, output] = [floats(x), floats(out)];
    const { cos, sin } = rotaryTable(ints(positions), rotaryDim, theta);
    const half = rotaryDim / 2;
    const heads = x.columns / headDim;
    if (out !== x) output.set(input);
    for (let row = 0; row < x.rows; row++) {
      for (let head = 0; head < heads; head++) {
        const at = row * x.columns + head * headDim;
        for (let i = 0; i < half; i++) {
          const c = cos[row * half + i]!;
          const s = inverse ? -sin[row * half + i]! : sin[row * half + i]!;
          const [first, second] = [input[at + i]!, input[at + half + i]!];
          output[at + i] = first * c - second * s;
          output[at + half + i] = second * c + first * s;
        }
      }
    }
  },
};

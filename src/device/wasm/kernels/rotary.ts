import type { Kernels } from '../../../tensor/kernels.ts';
import { fillRotaryTable } from '../../../tensor/rotary-table.ts';
import { type Runtime, read, update, write } from '../runtime.ts';
import { rowGrain } from './grain.ts';

export function rotaryKernels(runtime: Runtime): Pick<Kernels, 'rotary'> {
  return {
    rotary({ x, positions, headDim, rotaryDim, theta, inverse, out }) {
      const { rows, columns } = x;
      if (rows === 0) return;
      const size = positions.size * (rotaryDim / 2);
      const [cos, sin] = [runtime.scratch(size * 4), runtime.scratch(size * 4)];
      const table = {
        cos: floats(runtime.ints(cos.tensor)),
        sin: floats(runtime.ints(sin.tensor)),
      };
      fillRotaryTable(runtime.ints(positions), rotaryDim, theta, table);
      const inPlace = out.storage === x.storage;
      const [from, to] = inPlace ? [update(x), update(out)] : [read(x), write(out)];
      const heads = columns / headDim;
      const args = [from, to, cos, sin, heads, headDim, rotaryDim, inverse ? -1 : 1];
      runtime.launch('rotary', args, rows, rowGrain(columns));
    },
  };
}

function floats(ints: Int32Array): Float32Array {
  return new Float32Array(ints.buffer, ints.byteOffset, ints.length);
}

import type { Kernels } from '../../tensor/kernels.ts';
import { floats, ints } from './memory.ts';

export const rowKernels: Pick<
  Kernels,
  'gatherRows' | 'scatterAddRows' | 'writeRows' | 'concatColumns' | 'splitColumns'
> = {
  gatherRows({ table, indices, out }) {
    const [from, to, width] = [floats(table), floats(out), table.columns];
    ints(indices).forEach((index, row) => {
      const target = to.subarray(row * width, (row + 1) * width);
      if (index < 0) target.fill(0);
      else target.set(from.subarray(index * width, (index + 1) * width));
    });
  },

  scatterAddRows({ source, indices, out }) {
    const [from, to, width] = [floats(source), floats(out), out.columns];
    ints(indices).forEach((index, row) => {
      if (index < 0) return;
      for (let i = 0; i < width; i++) {
        to[index * width + i] = to[index * width + i]! + from[row * width + i]!;
      }
    });
  },

  writeRows({ source, indices, out }) {
    const [from, to, width] = [floats(source), floats(out), out.columns];
    ints(indices).forEach((index, row) => {
      if (index >= 0) to.set(from.subarray(row * width, (row + 1) * width), index * width);
    });
  },

  concatColumns({ a, b, out }) {
    const [left, right, to] = [floats(a), floats(b), floats(out)];
    for (let row = 0; row < out.rows; row++) {
      to.set(left.subarray(row * a.columns, (row + 1) * a.columns), row * out.columns);
      to.set(right.subarray(row * b.columns, (row + 1) * b.columns), row * out.columns + a.columns);
    }
  },

  splitColumns({ source, a, b }) {
    const [left, right, from] = [floats(a), floats(b), floats(source)];
    for (let row = 0; row < source.rows; row++) {
      const begin = row * source.columns;
      left.set(from.subarray(begin, begin + a.columns), row * a.columns);
      right.set(from.subarray(begin + a.columns, begin + source.columns), row * b.columns);
    }
  },
};

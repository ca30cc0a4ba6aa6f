import type { Kernels } from '../../../tensor/kernels.ts';
import { type Runtime, read, update, write } from '../runtime.ts';
import { rowGrain } from './grain.ts';

type RowKernels = Pick<
  Kernels,
  'gatherRows' | 'scatterAddRows' | 'writeRows' | 'concatColumns' | 'splitColumns'
>;

export function rowKernels(runtime: Runtime): RowKernels {
  return {
    gatherRows({ table, indices, out }) {
      const { columns } = out;
      const args = [read(table), read(indices), write(out), columns];
      runtime.launch('gatherRows', args, indices.size, rowGrain(columns));
    },

    scatterAddRows({ source, indices, out }) {
      const { columns } = out;
      const args = [read(source), read(indices), update(out), indices.size, columns];
      // Items are blocks of 32 columns, as in the kernel.
      runtime.launch('scatterAddRows', args, Math.ceil(columns / 32), rowGrain(32 * indices.size));
    },

    writeRows({ source, indices, out }) {
      const { columns } = out;
      const args = [read(source), read(indices), update(out), columns];
      runtime.launch('writeRows', args, indices.size, rowGrain(columns));
    },

    concatColumns({ a, b, out }) {
      const args = [read(a), read(b), write(out), a.columns, b.columns];
      runtime.launch('concatColumns', args, out.rows, rowGrain(out.columns));
    },

    splitColumns({ source, a, b }) {
      const args = [read(source), write(a), write(b), a.columns, b.columns];
      runtime.launch('splitColumns', args, source.rows, rowGrain(source.columns));
    },
  };
}

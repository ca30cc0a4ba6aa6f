import type { Kernels } from '../../../tensor/kernels.ts';
import { type Runtime, read, update, write } from '../runtime.ts';
import { addTo } from './elementwise.ts';
import { rowGrain } from './grain.ts';

/** Rows whose contributions to the weight's gradient are summed in f32 before going to f64. */
const blockRows = 32;

export function normKernels(runtime: Runtime): Pick<Kernels, 'rmsNorm' | 'rmsNormBackward'> {
  return {
    rmsNorm({ x, weight, epsilon, out, inverseRms }) {
      const { rows, columns } = x;
      const args = [read(x), read(weight), write(out), write(inverseRms), columns, epsilon];
      runtime.launch('rmsNorm', args, rows, rowGrain(columns));
    },

    rmsNormBackward({ x, weight, inverseRms, dOut, dX, dWeight, residual }) {
      const { rows, columns } = x;
      const blocks = Math.ceil(rows / blockRows);
      const partial = dWeight && runtime.scratch(blocks * columns * 4);
      runtime.launch(
        'rmsNormBackward',
        [
          ...[read(x), read(weight), read(inverseRms), read(dOut), write(dX), partial ?? 0],
          ...[rows, columns, blockRows],
        ],
        blocks,
        rowGrain(blockRows * columns),
      );
      if (residual) addTo(runtime, residual, dX);
      if (!dWeight || !partial) return;
      const args = [partial, update(dWeight), blocks, columns];
      runtime.launch('addColumnSums', args, columns, rowGrain(blocks));
    },
  };
}

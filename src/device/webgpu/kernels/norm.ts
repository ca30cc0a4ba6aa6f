import type { Kernels } from '../../../tensor/kernels.ts';
import { program, programs } from '../program.ts';
import type { Runtime } from '../runtime.ts';
import { addColumnSums, columnSums } from './column-sums.ts';
import { sumOf } from './reduce.ts';

const threads = 64;

/** A workgroup a row. */
const rmsNorm = program({
  name: 'rmsNorm',
  bindings: {
    x: 'read f32',
    weight: 'read f32',
    out: 'write f32',
    inverseRms: 'write f32',
  },
  parameters: { rows: 'u32', columns: 'u32', epsilon: 'f32' },
  keepsParameters: true,
  threads,
  head: sumOf(threads),
  body: /* wgsl */ `
  for (var row = group.x; row < p.rows; row += groups.x) {
    let begin = row * p.columns;
    var squares = 0.0;
    for (var i = thread; i < p.columns; i += threads) { squares += x[begin + i] * x[begin + i]; }
    let factor = 1.0 / sqrt(sumOf(squares, thread) / f32(p.columns) + p.epsilon);
    if (thread == 0u) { inverseRms[row] = factor; }
    for (var i = thread; i < p.columns; i += threads) {
      out[begin + i] = x[begin + i] * factor * weight[i];
    }
  }`,
});

/** With r = inverseRms and g = dOut·weight:  dx = r·g − r³·x·mean(g·x). */
const rmsNormBackward = programs(({ residual }: { residual: boolean }) =>
  program({
    name: 'rmsNormBackward',
    bindings: {
      x: 'read f32',
      weight: 'read f32',
      inverseRms: 'read f32',
      dOut: 'read f32',
      residual: residual ? 'read f32' : null,
      dX: 'write f32',
    },
    parameters: { rows: 'u32', columns: 'u32' },
    threads,
    head: sumOf(threads),
    body: /* wgsl */ `
  for (var row = group.x; row < p.rows; row += groups.x) {
    let begin = row * p.columns;
    var dot = 0.0;
    for (var i = thread; i < p.columns; i += threads) {
      dot += dOut[begin + i] * weight[i] * x[begin + i];
    }
    let r = inverseRms[row];
    let pull = r * r * r * sumOf(dot, thread) / f32(p.columns);
    for (var i = thread; i < p.columns; i += threads) {
      let own = r * dOut[begin + i] * weight[i] - pull * x[begin + i];
      dX[begin + i] = ${residual ? 'residual[begin + i] + ' : ''}own;
    }
  }`,
  }),
);

const weightGradient = columnSums(
  'rmsNormWeightBackward',
  { x: 'read f32', dOut: 'read f32', inverseRms: 'read f32' },
  'dOut[row * p.columns + column] * x[row * p.columns + column] * inverseRms[row]',
);

export function normKernels(runtime: Runtime): Pick<Kernels, 'rmsNorm' | 'rmsNormBackward'> {
  return {
    rmsNorm({ x, weight, epsilon, out, inverseRms }) {
      const sizes = { rows: x.rows, columns: x.columns, epsilon };
      const grid = runtime.grid(x.rows, 1);
      runtime.run(rmsNorm, { x, weight, out, inverseRms }, sizes, grid);
    },

    rmsNormBackward({ x, weight, inverseRms, dOut, dX, dWeight, residual = null }) {
      const sizes = { rows: x.rows, columns: x.columns };
      const grid = runtime.grid(x.rows, 1);
      const program = rmsNormBackward({ residual: residual !== null });
      runtime.run(program, { x, weight, inverseRms, dOut, residual, dX }, sizes, grid);
      if (dWeight) {
        addColumnSums(runtime, weightGradient, { x, dOut, inverseRms }, x.rows, dWeight);
      }
    },
  };
}

import type { Kernels } from '../../../tensor/kernels.ts';
import { program } from '../program.ts';
import type { Runtime } from '../runtime.ts';
import { sortedRows } from './sort.ts';

/**
 * Rows that go to the same place are neighbours in `order`; the workgroup of the first of them adds
 * them all, in their order. So nothing is added twice at once, and every run gives the same sum.
 */
const scatterAdd = program({
  name: 'scatterAddRows',
  bindings: { source: 'read f32', indices: 'read i32', order: 'read u32', out: 'write f32' },
  parameters: { rows: 'u32', columns: 'u32' },
  threads: 64,
  body: /* wgsl */ `
  let column = group.y * threads + thread;
  if (column >= p.columns) { return; }
  for (var i = group.x; i < p.rows; i += groups.x) {
    let index = indices[order[i]];
    if (index < 0) { continue; }
    if (i > 0u) {
      if (indices[order[i - 1u]] == index) { continue; }
    }
    let place = u32(index) * p.columns + column;
    var sum = out[place];
    for (var j = i; j < p.rows; j++) {
      let row = order[j];
      if (indices[row] != index) { break; }
      sum += source[row * p.columns + column];
    }
    out[place] = sum;
  }`,
});

export function scatterAddKernel(runtime: Runtime): Pick<Kernels, 'scatterAddRows'> {
  return {
    scatterAddRows({ source, indices, out }) {
      const [rows, columns] = [indices.size, out.columns];
      if (rows === 0) return;
      const order = sortedRows(runtime, indices, out.rows);
      const [x] = runtime.grid(rows, 1);
      runtime.run(scatterAdd, { source, indices, order, out }, { rows, columns }, [
        x,
        Math.ceil(columns / scatterAdd.threads),
        1,
      ]);
    },
  };
}

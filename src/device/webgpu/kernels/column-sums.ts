/**
 * Sums over the rows of something [T,C], for the gradients of weights that all rows share. First each
 * workgroup sums a chunk of rows, then one more pass sums the chunks, always in the same order.
 */
import type { Tensor } from '../../../tensor/tensor.ts';
import { type BindingType, type Program, program } from '../program.ts';
import type { Runtime } from '../runtime.ts';

/** Columns of a workgroup; its other threads share the rows. */
const columnsPerGroup = 32;
const lanes = 8;

type Shape = 'rows' | 'columns' | 'rowsPerGroup';

/**
 * The program that sums `term`, an expression in `row` and `column`, over each chunk of rows into
 * out [chunks,C], or adds it to out [C] if `adding` (with one chunk).
 */
export function columnSums<Binding extends string>(
  name: string,
  bindings: Record<Binding, BindingType>,
  term: string,
  adding = false,
): Program<Binding | 'sums', Shape> {
  return program({
    name,
    bindings: { ...bindings, sums: 'write f32' } as Record<Binding | 'sums', BindingType>,
    parameters: { rows: 'u32', columns: 'u32', rowsPerGroup: 'u32' },
    threads: columnsPerGroup * lanes,
    head: `var<workgroup> parts: array<f32, ${columnsPerGroup * lanes}>;`,
    body: /* wgsl */ `
  let column = group.x * ${columnsPerGroup}u + thread % ${columnsPerGroup}u;
  let end = min((group.y + 1u) * p.rowsPerGroup, p.rows);
  var sum = 0.0;
  if (column < p.columns) {
    for (var row = group.y * p.rowsPerGroup + thread / ${columnsPerGroup}u; row < end; row += ${lanes}u) {
      sum += ${term};
    }
  }
  parts[thread] = sum;
  workgroupBarrier();
  if (thread < ${columnsPerGroup}u && column < p.columns) {
    for (var lane = 1u; lane < ${lanes}u; lane++) { sum += parts[lane * ${columnsPerGroup}u + thread]; }
    ${adding ? 'sums[column] += sum;' : 'sums[group.y * p.columns + column] = sum;'}
  }`,
  });
}

const addChunks = columnSums(
  'addColumnSums',
  { chunks: 'read f32' },
  'chunks[row * p.columns + column]',
  true,
);

/** Adds the sums over `rows` rows to `out` [C]. */
export function addColumnSums<Binding extends string>(
  runtime: Runtime,
  summing: Program<Binding | 'sums', Shape>,
  tensors: Record<Exclude<Binding, 'sums'>, Tensor>,
  rows: number,
  out: Tensor,
): void {
  const columns = out.size;
  const columnGroups = Math.ceil(columns / columnsPerGroup);
  const rowsPerGroup = Math.max(64, Math.ceil(rows / 256));
  const count = Math.ceil(rows / rowsPerGroup);
  const chunks = runtime.scratch([count, columns]);
  runtime.run(
    summing,
    { ...tensors, sums: chunks } as Record<Binding | 'sums', Tensor>,
    { rows, columns, rowsPerGroup },
    [columnGroups, count, 1],
  );
  runtime.run(addChunks, { chunks, sums: out }, { rows: count, columns, rowsPerGroup: count }, [
    columnGroups,
    count === 0 ? 0 : 1,
    1,
  ]);
}

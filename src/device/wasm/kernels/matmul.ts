import type { Kernels } from '../../../tensor/kernels.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import { type Runtime, read, update, write } from '../runtime.ts';
import { launchSwiglu } from './activation.ts';
import { BlockPlan, type Layout, type Product } from './block-plan.ts';
import { elementGrain, rowGrain } from './grain.ts';

/** What a thread needs to pack blocks; as in assembly/matmul.ts. */
const workspaceBytes = 4 * (6 * 8 + 96 * 256 + 512 * 256);

export function matmulKernels(
  runtime: Runtime,
): Pick<Kernels, 'matmul' | 'groupedMatmul' | 'groupedMatmulTransposed' | 'groupedSwiglu'> {
  const plan = new BlockPlan();

  const scratch = (rows: number, columns: number) =>
    runtime
      .scratch(Math.max(4, 4 * rows * columns))
      .tensor.slice(0, rows * columns)
      .reshape([rows, columns]);

  /** The rows of a table that `indices` name. */
  function gathered(table: Tensor, indices: Tensor): Tensor {
    const out = scratch(indices.size, table.columns);
    const args = [read(table), read(indices), write(out), table.columns];
    runtime.launch('gatherRows', args, indices.size, rowGrain(table.columns));
    return out;
  }

  /** Each expert's rows of `a` times its weight. */
  function multiplyGroups(
    a: Tensor,
    b: Tensor,
    offsets: Tensor,
    out: Tensor,
    { transposeB, accumulate }: { transposeB: boolean; accumulate: boolean },
  ): void {
    const depth = a.columns;
    const columns = out.columns;
    const products = expertRanges(runtime, offsets).map(({ expert, begin, end }) => ({
      rows: end - begin,
      columns,
      depth,
      a: begin * depth,
      b: expert * depth * columns,
      c: begin * columns,
    }));
    const layout: Layout = {
      transposeA: false,
      transposeB,
      aStride: depth,
      bStride: transposeB ? depth : columns,
      cStride: columns,
    };
    multiply(a, b, out, accumulate, layout, products);
  }

  function multiply(
    a: Tensor,
    b: Tensor,
    out: Tensor,
    accumulate: boolean,
    layout: Layout,
    products: readonly Product[],
  ): void {
    plan.fill(products, layout, runtime.threads);
    if (plan.count === 0) return;
    runtime.launch(
      'multiplyBlocks',
      [
        plan.store(runtime),
        read(a),
        layout.aStride * 4,
        layout.transposeA ? 1 : 0,
        read(b),
        layout.bStride * 4,
        layout.transposeB ? 1 : 0,
        accumulate ? update(out) : write(out),
        layout.cStride * 4,
        accumulate ? 1 : 0,
        plan.needsWorkspace ? runtime.workspace(workspaceBytes * runtime.threads) : 0,
        workspaceBytes,
      ],
      plan.count,
      1,
    );
  }

  return {
    matmul({ a, b, out, transposeA, transposeB, accumulate, residual }) {
      if (residual) runtime.launch('copy', [read(residual), write(out)], out.size, elementGrain);
      const [rows, columns] = out.shape as [number, number];
      const depth = transposeA ? a.shape[0]! : a.columns;
      const layout: Layout = {
        transposeA,
        transposeB,
        aStride: a.columns,
        bStride: b.columns,
        cStride: columns,
      };
      const adding = accumulate || residual != null;
      multiply(a, b, out, adding, layout, [{ rows, columns, depth, a: 0, b: 0, c: 0 }]);
    },

    groupedMatmul({ a, b, second, offsets, out, transposeB, accumulate }) {
      multiplyGroups(a, b, offsets, out, { transposeB, accumulate });
      if (!second) return;
      multiplyGroups(second.a, second.b, offsets, out, { transposeB, accumulate: true });
    },

    groupedMatmulTransposed({ a, b, rowsOfB, offsets, out, accumulate }) {
      const rows = a.columns;
      const columns = b.columns;
      const layout: Layout = {
        transposeA: true,
        transposeB: false,
        aStride: rows,
        bStride: columns,
        cStride: columns,
      };
      // An expert without rows still has an output to overwrite with zeros.
      const products = expertRanges(runtime, offsets, !accumulate).map(
        ({ expert, begin, end }) => ({
          rows,
          columns,
          depth: end - begin,
          a: begin * rows,
          b: begin * columns,
          c: expert * rows * columns,
        }),
      );
      multiply(a, rowsOfB ? gathered(b, rowsOfB) : b, out, accumulate, layout, products);
    },

    groupedSwiglu({ x, tokens, offsets, gateWeight, upWeight, gate, up, out }) {
      const rows = gathered(x, tokens);
      const [g, u] = [gate ?? scratch(out.rows, out.columns), up ?? scratch(out.rows, out.columns)];
      const options = { transposeB: true, accumulate: false };
      multiplyGroups(rows, gateWeight, offsets, g, options);
      multiplyGroups(rows, upWeight, offsets, u, options);
      launchSwiglu(runtime, g, u, out);
    },
  };
}

/** The rows of each expert that has any, or of all. */
function expertRanges(
  runtime: Runtime,
  offsets: Tensor,
  all = false,
): { expert: number; begin: number; end: number }[] {
  const bounds = runtime.ints(offsets);
  const ranges = [];
  for (let expert = 0; expert + 1 < bounds.length; expert++) {
    const begin = bounds[expert]!;
    const end = bounds[expert + 1]!;
    if (all || end > begin) ranges.push({ expert, begin, end });
  }
  return ranges;
}

import type { Scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';

/**
 * Rows of a table: table [R,C], indices i32 [T] → [T,C]. A negative index gives a row of zeros.
 * This is the embedding, and the choice of rows to compute logits for.
 */
export function gatherRows(scope: Scope, table: Tensor, indices: Tensor): Tensor {
  const { kernels } = scope.device;
  const out = scope.empty([indices.size, table.columns]);
  kernels.gatherRows({ table, indices, out });
  const { tape } = scope;
  tape?.record([table], out, (dOut) => {
    tape.into(scope, table, (dTable, accumulate) => {
      if (!accumulate) kernels.fill({ out: dTable, value: 0 });
      kernels.scatterAddRows({ source: dOut, indices, out: dTable });
    });
  });
  return out;
}

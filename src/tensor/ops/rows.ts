import { type Matrix, trainable } from '../quantized-matrix.ts';
import type { Scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';

/**
 * Rows of a matrix [R,C], indices i32 [T] → [T,C]. A negative index gives a row of zeros.
 * This is the embedding, and the choice of rows to compute logits for.
 */
export function gatherRows(scope: Scope, matrix: Matrix, indices: Tensor): Tensor {
  const { kernels } = scope.device;
  const out = scope.empty([indices.size, matrix.columns]);
  kernels.gatherRows({ table: matrix, indices, out });
  const { tape } = scope;
  if (!tape) return out;
  const table = trainable(matrix);
  tape.record([table], out, (dOut) => {
    tape.into(scope, table, (dTable, accumulate) => {
      if (!accumulate) kernels.fill({ out: dTable, value: 0 });
      kernels.scatterAddRows({ source: dOut, indices, out: dTable });
    });
  });
  return out;
}

import { type Matrix, trainable } from '../quantized-matrix.ts';
import type { Scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';

/** x·Wᵀ: x [T,K], W [N,K] → [T,N]. `exact`: in f32 also where a device trains in less. */
export function linear(
  scope: Scope,
  x: Tensor,
  matrix: Matrix,
  { exact = false }: { exact?: boolean } = {},
): Tensor {
  const { kernels } = scope.device;
  const [outputs] = matrix.shape as [number];
  const out = scope.empty([x.rows, outputs]);
  kernels.matmul({
    a: x,
    b: matrix,
    out,
    transposeA: false,
    transposeB: true,
    accumulate: false,
    exact,
  });
  const { tape } = scope;
  if (!tape) return out;
  const weight = trainable(matrix);
  tape.record([x, weight], out, (dOut) => {
    tape.into(scope, x, (dX, accumulate) =>
      kernels.matmul({
        a: dOut,
        b: weight,
        out: dX,
        transposeA: false,
        transposeB: false,
        accumulate,
        exact,
        scaleA: tape.gradientScale,
      }),
    );
    tape.into(scope, weight, (dWeight, accumulate) =>
      kernels.matmul({
        a: dOut,
        b: x,
        out: dWeight,
        transposeA: true,
        transposeB: false,
        accumulate,
        exact,
        scaleA: tape.gradientScale,
      }),
    );
  });
  return out;
}

/**
 * Each expert's linear layer over its own rows: x [S,K] sorted by expert, matrix [E,N,K],
 * offsets i32 [E+1] → [S,N]. Forward and backward cost is proportional to S.
 */
export function groupedLinear(scope: Scope, x: Tensor, matrix: Matrix, offsets: Tensor): Tensor {
  const { kernels } = scope.device;
  const [, outputs] = matrix.shape as [number, number, number];
  const out = scope.empty([x.rows, outputs]);
  kernels.groupedMatmul({ a: x, b: matrix, offsets, out, transposeB: true, accumulate: false });
  const { tape } = scope;
  if (!tape) return out;
  const weight = trainable(matrix);
  tape.record([x, weight], out, (dOut) => {
    tape.into(scope, x, (dX, accumulate) =>
      kernels.groupedMatmul({
        a: dOut,
        b: weight,
        offsets,
        out: dX,
        transposeB: false,
        accumulate,
        scaleA: tape.gradientScale,
      }),
    );
    tape.into(scope, weight, (dWeight, accumulate) =>
      kernels.groupedMatmulTransposed({
        a: dOut,
        b: x,
        offsets,
        out: dWeight,
        accumulate,
        scaleA: tape.gradientScale,
      }),
    );
  });
  return out;
}

import { type Matrix, trainable } from '../quantized-matrix.ts';
import type { Scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import type { ExpertGroups } from './experts.ts';

/**
 * x·Wᵀ, plus `residual` [T,N] if given: x [T,K], W [N,K] → [T,N]. `exact`: in f32 also where a
 * device trains in less. `step`: as of `matmul`.
 */
export function linear(
  scope: Scope,
  x: Tensor,
  matrix: Matrix,
  options: { exact?: boolean; step?: boolean; residual?: Tensor | null } = {},
): Tensor {
  const { exact = false, step = false, residual = null } = options;
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
    step,
    residual,
  });
  const { tape } = scope;
  if (!tape) return out;
  const weight = trainable(matrix);
  tape.record([x, weight, residual], out, (dOut) => {
    if (residual) tape.contribute(scope, residual, dOut, false);
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
 * The first half of each expert's SwiGLU: silu(gate·x)·(up·x) for the rows of x [T,K] that `groups`
 * sends to it, weights [E,N,K] → [S,N] sorted by expert. Those rows are never copied together.
 */
export function groupedSwiglu(
  scope: Scope,
  x: Tensor,
  gateWeight: Tensor,
  upWeight: Tensor,
  { offsets, tokens, rows }: ExpertGroups,
): Tensor {
  const { kernels } = scope.device;
  const { tape } = scope;
  const shape = [tokens.size, gateWeight.shape[1]!];
  const out = scope.empty(shape);
  const [gate, up] = tape ? [scope.empty(shape), scope.empty(shape)] : [null, null];
  kernels.groupedSwiglu({ x, tokens, offsets, gateWeight, upWeight, gate, up, out });
  if (!tape || !gate || !up) return out;
  tape.record([x, gateWeight, upWeight], out, (dOut) => {
    const scaleA = tape.gradientScale;
    const [dGate, dUp] = [scope.empty(shape), scope.empty(shape)];
    kernels.swigluBackward({ gate, up, dOut, dGate, dUp });
    for (const [a, weight] of [
      [dGate, gateWeight],
      [dUp, upWeight],
    ] as const) {
      tape.into(scope, weight, (dWeight, accumulate) =>
        kernels.groupedMatmulTransposed({
          ...{ a, b: x, rowsOfB: tokens, offsets, out: dWeight, accumulate, scaleA },
        }),
      );
    }
    if (tape.tracks(x)) {
      const dRows = scope.empty([tokens.size, x.columns]);
      kernels.groupedMatmul({
        a: dGate,
        b: gateWeight,
        second: { a: dUp, b: upWeight },
        offsets,
        out: dRows,
        transposeB: false,
        accumulate: false,
        scaleA,
      });
      const dX = scope.empty(x.shape);
      kernels.sumRows({ source: dRows, rows, out: dX });
      tape.contribute(scope, x, dX);
      scope.release(dRows);
    }
    scope.release(dGate);
    scope.release(dUp);
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

import type { AttentionShape, PastKeys } from '../kernels.ts';
import type { Scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';

/**
 * The rotation of every head of x [T, heads·headDim] by its position; i32 positions [T]. It happens in
 * place: x must not be used afterwards.
 */
export function rotary(
  scope: Scope,
  x: Tensor,
  positions: Tensor,
  options: { headDim: number; rotaryDim: number; theta: number },
): Tensor {
  const { kernels } = scope.device;
  // Another tensor in the same memory, so that the two have gradients of their own.
  const out = x.reshape(x.shape);
  kernels.rotary({ ...options, x, positions, inverse: false, out });
  const { tape } = scope;
  tape?.record([x], out, (dOut, owned) => {
    const dX = owned ? dOut : scope.empty(x.shape);
    kernels.rotary({ ...options, x: dOut, positions, inverse: true, out: dX });
    tape.contribute(scope, x, dX);
  });
  return out;
}

/**
 * Grouped-query attention with optional window and sinks, over packed rows and an optional past
 * (see `AttentionShape`) → [T, heads·valueDim]. The score matrix is never kept. There is no gradient
 * through a past.
 */
export function attention(
  scope: Scope,
  inputs: {
    query: Tensor;
    key: Tensor;
    value: Tensor;
    sinks: Tensor | null;
    rowStart: Tensor;
    past: PastKeys | null;
  },
  shape: AttentionShape,
): Tensor {
  const { kernels } = scope.device;
  const { query, key, value, sinks, rowStart, past } = inputs;
  const out = scope.empty([query.rows, shape.heads * shape.valueDim]);
  const logSumExp = scope.empty([query.rows, shape.heads]);
  kernels.attention({ ...shape, query, key, value, sinks, rowStart, past, out, logSumExp });
  const { tape } = scope;
  if (tape && past) throw new Error('attention has no gradient through a past');
  tape?.record([query, key, value, sinks], out, (dOut) => {
    const dQuery = scope.empty(query.shape);
    const dKey = scope.empty(key.shape);
    const dValue = scope.empty(value.shape);
    const dSinks = sinks && tape.parameterGradient(sinks);
    kernels.attentionBackward({
      ...shape,
      query,
      key,
      value,
      sinks,
      rowStart,
      out,
      logSumExp,
      dOut,
      dQuery,
      dKey,
      dValue,
      dSinks,
      gradientScale: tape.gradientScale,
    });
    tape.contribute(scope, query, dQuery);
    tape.contribute(scope, key, dKey);
    tape.contribute(scope, value, dValue);
  });
  return out;
}

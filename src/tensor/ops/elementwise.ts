import type { Scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';

/** silu(gate)·up, of one shape. */
export function swiglu(scope: Scope, gate: Tensor, up: Tensor): Tensor {
  const { kernels } = scope.device;
  const out = scope.empty(gate.shape);
  kernels.swiglu({ gate, up, out });
  const { tape } = scope;
  tape?.record([gate, up], out, (dOut) => {
    const dGate = scope.empty(gate.shape);
    const dUp = scope.empty(up.shape);
    kernels.swigluBackward({ gate, up, dOut, dGate, dUp });
    tape.contribute(scope, gate, dGate);
    tape.contribute(scope, up, dUp);
  });
  return out;
}

/** Columns of a [T,A] followed by columns of b [T,B] → [T, A+B]. */
export function concatColumns(scope: Scope, a: Tensor, b: Tensor): Tensor {
  const { kernels } = scope.device;
  const out = scope.empty([a.rows, a.columns + b.columns]);
  kernels.concatColumns({ a, b, out });
  const { tape } = scope;
  tape?.record([a, b], out, (dOut) => {
    const dA = scope.empty(a.shape);
    const dB = scope.empty(b.shape);
    kernels.splitColumns({ source: dOut, a: dA, b: dB });
    tape.contribute(scope, a, dA);
    tape.contribute(scope, b, dB);
  });
  return out;
}

import type { Scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';

/** Root-mean-square norm over the last dimension: x/√(mean(x²) + epsilon)·weight. */
export function rmsNorm(scope: Scope, x: Tensor, weight: Tensor, epsilon: number): Tensor {
  const { kernels } = scope.device;
  const out = scope.empty(x.shape);
  const inverseRms = scope.empty([x.rows]);
  kernels.rmsNorm({ x, weight, epsilon, out, inverseRms });
  const { tape } = scope;
  tape?.record([x, weight], out, (dOut) => {
    const dWeight = tape.parameterGradient(weight);
    tape.extend(scope, x, (dX, residual) =>
      kernels.rmsNormBackward({ x, weight, inverseRms, dOut, dX, dWeight, residual }),
    );
  });
  return out;
}

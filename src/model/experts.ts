import {
  balanceLoss,
  combineRows,
  expertWeights,
  groupByExpert,
  groupedLinear,
  groupedSwiglu,
  linear,
  selectExperts,
  swiglu,
} from '../tensor/ops/index.ts';
import { QuantizedMatrix, trainable } from '../tensor/quantized-matrix.ts';
import type { Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ExpertsConfig } from './config.ts';
import type { DenseWeights, ExpertsWeights } from './weights.ts';

/** How a call went through one layer of experts. */
export interface Route {
  /** [T,E]: the router's logits. */
  logits: Tensor;
  /** i32 [T,k]: the chosen experts, to be replayed later. */
  experts: Tensor;
  /** [T,k]: their weights. */
  weights: Tensor;
  /** i32 [E+1]: where each expert's rows begin; the differences are the load. */
  offsets: Tensor;
  /** [1], if the call asked for the balance loss. */
  balanceLoss: Tensor | null;
}

export interface RoutingOptions {
  /** Experts to use instead of the router's choice, with the router's live scores as weights. */
  replay?: Tensor | undefined;
  /** If positive, this times the gradient of the balance loss is added to the backward pass. */
  balanceCoefficient?: number | undefined;
}

/**
 * Sparse mixture of experts: sigmoid router, top-k by score + bias, weights from the score alone,
 * then each expert's SwiGLU over its own rows. No token is dropped, and the work is proportional to
 * the routed rows. x [T, hidden] → residual + the mixture.
 */
export function expertsLayer(
  scope: Scope,
  x: Tensor,
  residual: Tensor,
  weights: ExpertsWeights,
  config: ExpertsConfig,
  rowStart: Tensor,
  options: RoutingOptions = {},
): { out: Tensor; route: Route } {
  // Rounding would send tokens to other experts.
  const logits = linear(scope, x, weights.router, { exact: true });
  const experts = options.replay ?? selectExperts(scope, logits, weights.selectionBias, config);
  const routed = expertWeights(scope, logits, experts, {
    normalize: config.normalizeWeights,
    scale: config.scalingFactor,
  });
  const coefficient = options.balanceCoefficient ?? 0;
  const balance =
    coefficient > 0 ? balanceLoss(scope, logits, experts, rowStart, coefficient) : null;

  const groups = groupByExpert(scope, experts, config.count);
  const { offsets } = groups;
  const route = { logits, experts, weights: routed, offsets, balanceLoss: balance };
  if (weights.gate instanceof QuantizedMatrix) {
    const out = scope.empty(x.shape);
    scope.device.kernels.copy({ source: residual, out });
    const { gate, up, down } = weights;
    scope.device.kernels.addExperts({ x, experts, weights: routed, gate, up, down, out });
    return { out: weights.shared ? denseLayer(scope, x, weights.shared, out) : out, route };
  }
  const gate = trainable(weights.gate);
  const active = groupedSwiglu(scope, x, gate, trainable(weights.up), groups);
  const down = groupedLinear(scope, active, weights.down, groups.offsets);
  const combined = combineRows(scope, down, routed, groups, residual);
  const out = weights.shared ? denseLayer(scope, x, weights.shared, combined) : combined;
  return { out, route };
}

/** SwiGLU feed-forward: residual + down·(silu(gate·x)·(up·x)). */
export function denseLayer(
  scope: Scope,
  x: Tensor,
  weights: DenseWeights,
  residual: Tensor,
): Tensor {
  const gate = linear(scope, x, weights.gate);
  const up = linear(scope, x, weights.up);
  return linear(scope, swiglu(scope, gate, up), weights.down, { residual });
}

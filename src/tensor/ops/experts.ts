import type { Scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';

/** Which rows go to which expert; made on the device, never read back to run the layer. */
export interface ExpertGroups {
  /** i32 [E+1]: where each expert's sorted rows begin. */
  offsets: Tensor;
  /** i32 [S]: the token of each sorted row. */
  tokens: Tensor;
  /** i32 [T,k]: the sorted row of each token's slots. */
  rows: Tensor;
}

/**
 * The k experts with the largest sigmoid(logits) + bias → i32 [T,k]. The bias steers selection only
 * (auxiliary-loss-free balancing), so nothing here has a gradient.
 */
export function selectExperts(
  scope: Scope,
  logits: Tensor,
  bias: Tensor,
  options: { perToken: number; groups: number; selectedGroups: number },
): Tensor {
  const { perToken, groups, selectedGroups } = options;
  const experts = scope.empty([logits.rows, perToken], 'i32');
  scope.device.kernels.selectExperts({ logits, bias, groups, selectedGroups, experts });
  return experts;
}

/**
 * The weights [T,k] of given experts, from live scores. Selection and weights are separate so that
 * recorded routing can be replayed while gradient still reaches the router.
 */
export function expertWeights(
  scope: Scope,
  logits: Tensor,
  experts: Tensor,
  options: { normalize: boolean; scale: number },
): Tensor {
  const { kernels } = scope.device;
  const weights = scope.empty(experts.shape);
  kernels.expertWeights({ ...options, logits, experts, weights });
  const { tape } = scope;
  tape?.record([logits], weights, (dWeights) => {
    tape.into(scope, logits, (dLogits, accumulate) => {
      if (!accumulate) kernels.fill({ out: dLogits, value: 0 });
      kernels.expertWeightsBackward({ ...options, logits, experts, dWeights, dLogits });
    });
  });
  return weights;
}

/** Sorts the routed slots of experts i32 [T,k] by expert. */
export function groupByExpert(scope: Scope, experts: Tensor, expertCount: number): ExpertGroups {
  const offsets = scope.empty([expertCount + 1], 'i32');
  const tokens = scope.empty([experts.size], 'i32');
  const rows = scope.empty(experts.shape, 'i32');
  scope.device.kernels.groupByExpert({ experts, offsets, tokens, rows });
  return { offsets, tokens, rows };
}

/**
 * Each token's weighted sum of its experts' outputs, plus `residual` if given: source [S,C], weights
 * [T,k] → [T,C].
 */
export function combineRows(
  scope: Scope,
  source: Tensor,
  weights: Tensor,
  groups: ExpertGroups,
  residual: Tensor | null = null,
): Tensor {
  const { kernels } = scope.device;
  const { rows } = groups;
  const out = scope.empty([weights.rows, source.columns]);
  kernels.combineRows({ source, rows, weights, residual, out });
  const { tape } = scope;
  tape?.record([source, weights, residual], out, (dOut) => {
    if (residual) tape.contribute(scope, residual, dOut, false);
    const dSource = scope.empty(source.shape);
    const dWeights = scope.empty(weights.shape);
    kernels.combineRowsBackward({ source, rows, weights, dOut, dSource, dWeights });
    tape.contribute(scope, source, dSource);
    tape.contribute(scope, weights, dWeights);
  });
  return out;
}

/**
 * The sequence-wise balance loss [1] (DeepSeek-V3, eq. 17 to 20), one sequence a document, averaged by
 * tokens. Under a tape it adds coefficient·gradient to the backward pass by itself, without a seed;
 * the gradient reaches the router's logits through the mean scores, not the counts.
 */
export function balanceLoss(
  scope: Scope,
  logits: Tensor,
  experts: Tensor,
  rowStart: Tensor,
  coefficient: number,
): Tensor {
  const { kernels } = scope.device;
  const loss = scope.empty([1]);
  const { tape } = scope;
  const dLogits = tape?.tracks(logits) ? scope.zeros(logits.shape) : null;
  kernels.balanceLoss({ logits, experts, rowStart, loss, dLogits, scale: coefficient });
  if (dLogits) tape?.contribute(scope, logits, dLogits);
  return loss;
}

/**
 * Multi-token prediction (report, section 2.3.2): K light blocks that share the trunk's embedding and
 * head. They are parallel, not chained: at position t, block k reads the trunk's hidden state h_t and
 * the embedding of token t+1+k, and predicts token t+2+k.
 */
import { concatColumns, gatherRows, linear, rmsNorm } from '../tensor/ops/index.ts';
import type { Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Batch, KeyValueCache } from './batch.ts';
import { block } from './block.ts';
import type { TrunkResult } from './trunk.ts';
import type { Model } from './weights.ts';

/**
 * Runs MTP block `head`. `batch.tokens` holds token t+1+head for the row of position t, and `hidden`
 * the trunk's state of the same rows, as `mtpInput` gives it. → [T, hidden] after the block's final
 * norm, to be given to the model's head.
 */
export function mtpBlock(
  scope: Scope,
  model: Model,
  head: number,
  batch: Batch,
  hidden: Tensor,
  cache?: KeyValueCache,
): Tensor {
  const { config } = model;
  const weights = model.mtp[head]!;
  const held = cache?.(config.layers.length + head) ?? null;
  const run = (inner: Scope) => {
    const norm = (x: Tensor, weight: Tensor) => rmsNorm(inner, x, weight, config.normEpsilon);
    const embedded = gatherRows(inner, model.embedding, batch.tokens);
    const joined = concatColumns(
      inner,
      norm(embedded, weights.embeddingNorm),
      norm(hidden, weights.hiddenNorm),
    );
    const x = linear(inner, joined, weights.projection);
    const attention = config.slidingAttention;
    const out = block(inner, x, weights.block, config, attention, batch, held);
    const { key, value } = out;
    return { hidden: norm(out.hidden, weights.finalNorm), ...(held && { key, value }) };
  };
  const flow = { inputs: [hidden], output: (result: { hidden: Tensor }) => result.hidden };
  const result = scope.nested(run, flow);
  if (result.key && result.value) held?.keep(result.key, result.value);
  return result.hidden;
}

/** The hidden state that MTP blocks read: after or before the final norm, by the config's switch. */
export function mtpInput(model: Model, result: Pick<TrunkResult, 'hidden' | 'residual'>): Tensor {
  return model.config.mtpHidden === 'post-norm' ? result.hidden : result.residual;
}

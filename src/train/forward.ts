/** The forward pass of training: what the trunk predicts of each next token, and each MTP head further on. */
import type { Batch } from '../model/batch.ts';
import type { Route } from '../model/experts.ts';
import { mtpBlock, mtpInput } from '../model/mtp.ts';
import { trunk } from '../model/trunk.ts';
import type { TrainableModel } from '../model/weights.ts';
import { gatherRows, type TokenLogprobs, tokenLogprobs } from '../tensor/ops/index.ts';
import type { Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import {
  headAhead,
  nextTokenTargets,
  type Targets,
  type TrainingBatch,
  targetsAhead,
  tokensAhead,
} from './targets.ts';

/** 'heads': the MTP blocks alone learn from their loss; trunk, embedding and head do not. */
export type MtpGradient = 'trunk' | 'heads';

export interface Prediction {
  targets: Targets;
  scores: TokenLogprobs;
}

/** A forward pass that is enqueued and not read yet; first the next token, then the MTP heads. */
export interface Forward {
  predictions: [Prediction, ...Prediction[]];
  routes: Route[];
}

export interface ForwardOptions {
  balanceCoefficient?: number;
  mtpGradient?: MtpGradient;
}

export function predict(
  scope: Scope,
  model: TrainableModel,
  batch: TrainingBatch,
  heads: number,
  { balanceCoefficient, mtpGradient = 'trunk' }: ForwardOptions,
): Forward {
  const count = batch.tokens.length;
  const rows: Batch = {
    tokens: scope.from([count], batch.tokens),
    positions: scope.from([count], batch.positions),
    rowStart: scope.from([count], batch.rowStart),
  };
  const { perToken } = model.config.experts;
  const replay = batch.routes?.map((experts) => scope.from([count, perToken], experts));
  const result = trunk(scope, model, rows, {
    ...(balanceCoefficient !== undefined && { balanceCoefficient }),
    ...(replay && { replay }),
  });

  const scoreTargets = (hidden: Tensor, targets: Targets, { head }: TrainableModel) => {
    const size = [targets.rows.length];
    // Only the rows that predict something pay for the vocabulary.
    const predicting = gatherRows(scope, hidden, scope.from(size, targets.rows));
    const wanted = scope.from(size, targets.tokens);
    return { targets, scores: tokenLogprobs(scope, predicting, head, wanted) };
  };

  const predictions: Forward['predictions'] = [
    scoreTargets(result.hidden, nextTokenTargets(batch), model),
  ];
  const drafter = mtpGradient === 'heads' ? sharingNoGradient(model) : model;
  const state = mtpInput(model, result);
  const input = mtpGradient === 'heads' ? untracked(state) : state;
  for (let head = 0; head < heads; head++) {
    const ahead = headAhead(head);
    // A row too near the end of its document reads a zero embedding; it comes after every row that
    // predicts, so nothing sees it.
    const tokens = scope.from([count], tokensAhead(batch, ahead - 1));
    const hidden = mtpBlock(scope, drafter, head, { ...rows, tokens }, input);
    predictions.push(scoreTargets(hidden, targetsAhead(batch, ahead), drafter));
  }
  return { predictions, routes: result.routes };
}

/** The model with what MTP blocks share with the trunk out of a tape's sight. */
function sharingNoGradient(model: TrainableModel): TrainableModel {
  return { ...model, embedding: untracked(model.embedding), head: untracked(model.head) };
}

/** The same memory as another tensor, of which no tape knows how it was made. */
function untracked(tensor: Tensor): Tensor {
  return tensor.slice(0, tensor.rows);
}

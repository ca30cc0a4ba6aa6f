/** Logits of whole texts, by two ways of passing them through a model that ought to give the same. */
import { KeyValuePool, pageSize } from '../engine/key-value-pool.ts';
import { layoutOf, pageTable, ringTable, tableWidth } from '../engine/row-ranges.ts';
import { packDocuments } from '../model/batch.ts';
import { stepLogits, stepTrunk } from '../model/step.ts';
import { trunk } from '../model/trunk.ts';
import type { Model } from '../model/weights.ts';
import type { CacheType } from '../tensor/cache-type.ts';
import { linear } from '../tensor/ops/index.ts';
import { readFloats, Scope } from '../tensor/scope.ts';

/** The logits after each token of a text, [T,V]. */
export type TextLogits = (tokens: readonly number[]) => Promise<Float32Array>;

/** All of a text in one call, as in training: there are no caches. */
export function passedAtOnce(model: Model): TextLogits {
  return async (tokens) => {
    const scope = new Scope(model.device);
    try {
      const { hidden } = trunk(scope, model, packDocuments(scope, [tokens]));
      return await readFloats(model.device, linear(scope, hidden, model.head));
    } finally {
      scope.close();
    }
  };
}

/** A step after another, as in decoding, with caches of a type. As many tokens as a step may have. */
export function passedInSteps(model: Model, cacheType: CacheType): TextLogits {
  const { config, device } = model;
  const most = model.mtp.length + 1;
  return async (tokens) => {
    const pool = new KeyValuePool(model, { tokens: tokens.length + pageSize, rings: 1, cacheType });
    const logits = new Float32Array(tokens.length * config.vocabSize);
    try {
      const sequence = pool.open()!;
      pool.reserve(sequence, tokens.length);
      for (let begin = 0; begin < tokens.length; begin += most) {
        const ranges = [{ sequence, begin, end: Math.min(begin + most, tokens.length) }];
        const scope = new Scope(device);
        const upload = (data: Int32Array) => scope.from([data.length], data);
        const step = upload(Int32Array.from(tokens.slice(begin, begin + most)));
        const cache = pool.stepCache({
          global: upload(layoutOf(ranges, pageTable(ranges))),
          width: tableWidth(ranges),
          sliding: upload(layoutOf(ranges, ringTable(ranges))),
        });
        const { residual } = stepTrunk(scope, model, step, cache);
        const out = scope.empty([step.size, config.vocabSize]);
        stepLogits(model, model.finalNorm, residual, null, out);
        logits.set(await readFloats(device, out), begin * config.vocabSize);
        scope.close();
      }
    } finally {
      pool.release();
    }
    return logits;
  };
}

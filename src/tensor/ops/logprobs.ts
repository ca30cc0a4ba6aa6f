import type { Scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';

/** Logits held at once, in elements: 64 MiB. */
const chunkElements = 2 ** 24;

export interface TokenLogprobs {
  /** [T]: log π(target | …); 0 where the target is negative. */
  logProbability: Tensor;
  /** [T]: entropy of the whole distribution, in nats. */
  entropy: Tensor;
}

/**
 * Log-probabilities of targets i32 [T] under softmax(hidden·headᵀ), hidden [T,C], head [V,C]. Every
 * objective of training is a weighting of these. The logits are never held whole: rows are worked in
 * chunks, and the backward pass computes a chunk's logits again unless all fit one chunk. The entropy
 * has no gradient.
 */
export function tokenLogprobs(
  scope: Scope,
  hidden: Tensor,
  head: Tensor,
  targets: Tensor,
): TokenLogprobs {
  const { kernels } = scope.device;
  const count = hidden.rows;
  const [vocabSize] = head.shape as [number];
  const chunkRows = Math.max(1, Math.floor(chunkElements / vocabSize));
  const chunks: { begin: number; end: number }[] = [];
  for (let begin = 0; begin < count; begin += chunkRows) {
    chunks.push({ begin, end: Math.min(begin + chunkRows, count) });
  }
  const logProbability = scope.empty([count]);
  const entropy = scope.empty([count]);
  const logSumExp = scope.empty([count]);
  const computeLogits = (begin: number, end: number) => {
    const logits = scope.empty([end - begin, vocabSize]);
    kernels.matmul({
      a: hidden.slice(begin, end),
      b: head,
      out: logits,
      transposeA: false,
      transposeB: true,
      accumulate: false,
    });
    return logits;
  };

  const { tape } = scope;
  const retained = new Map<number, Tensor>();
  for (const { begin, end } of chunks) {
    const logits = computeLogits(begin, end);
    kernels.tokenLogprobs({
      logits,
      targets: targets.slice(begin, end),
      logProbability: logProbability.slice(begin, end),
      entropy: entropy.slice(begin, end),
      logSumExp: logSumExp.slice(begin, end),
    });
    if (tape && chunks.length === 1) retained.set(begin, logits);
    else scope.release(logits);
  }

  tape?.record([hidden, head], logProbability, (dLogProbability) => {
    const dHidden = scope.empty(hidden.shape);
    for (const { begin, end } of chunks) {
      const logits = retained.get(begin) ?? computeLogits(begin, end);
      kernels.tokenLogprobsBackward({
        logits,
        targets: targets.slice(begin, end),
        logSumExp: logSumExp.slice(begin, end),
        dLogProbability: dLogProbability.slice(begin, end),
      });
      kernels.matmul({
        a: logits,
        b: head,
        out: dHidden.slice(begin, end),
        transposeA: false,
        transposeB: false,
        accumulate: false,
        scaleA: tape.gradientScale,
      });
      tape.into(scope, head, (dHead, accumulate) =>
        kernels.matmul({
          a: logits,
          b: hidden.slice(begin, end),
          out: dHead,
          transposeA: true,
          transposeB: false,
          accumulate,
          scaleA: tape.gradientScale,
        }),
      );
      scope.release(logits);
    }
    tape.contribute(scope, hidden, dHidden);
  });
  return { logProbability, entropy };
}

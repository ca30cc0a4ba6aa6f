import type { AttentionShape, Kernels, PastKeys } from '../tensor/kernels.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { inferenceWork } from './inference-work.ts';
import { bytesOf, cachedBytes, type KnownIntegers, moving, type Work } from './work.ts';

type Call<Name extends keyof Kernels> = Parameters<Kernels[Name]>[0];

/**
 * The work of each kernel's call, null where it depends on numbers that the host does not know.
 * Products and attention are counted exactly. Of all others, which wait for memory, the operations of
 * an element are a round number, with a function such as exp as one.
 */
export const kernelWork: {
  [Name in keyof Kernels]: (call: Call<Name>, known: KnownIntegers) => Work | null;
} = {
  fill: ({ out }) => moving([out]),
  copy: ({ source, out }) => moving([source, out]),
  add: ({ a, b, out }) => moving([a, b, out], out.size),

  matmul: ({ a, b, out, transposeA, transposeB, accumulate, exact = false, residual = null }) => {
    const inner = transposeA ? a.shape[0]! : a.shape[1]!;
    const layout = `${transposeA ? 'Aᵀ' : 'A'}·${transposeB ? 'Bᵀ' : 'B'}`;
    return {
      kind: exact ? `${layout}, exact` : layout,
      operations: 2 * out.size * inner,
      bytes: bytesOf([a, b, out, ...(accumulate || residual ? [out] : [])]),
      roundable: !exact,
    };
  },
  groupedMatmul: ({ a, b, out, transposeB, accumulate, second = null }) => {
    const [experts, ...matrix] = b.shape as [number, number, number];
    // No more experts than rows have work.
    const used = Math.min(experts, a.rows) / Math.max(experts, 1);
    const products = second ? 2 : 1;
    return {
      kind: transposeB ? 'A·Bᵀ' : 'A·B',
      operations: products * 2 * a.rows * matrix[0]! * matrix[1]!,
      bytes:
        products * (a.byteLength + used * b.byteLength) +
        bytesOf([out, ...(accumulate ? [out] : [])]),
      roundable: true,
    };
  },
  groupedMatmulTransposed: ({ a, b, out, accumulate }) => {
    const used = Math.min(out.shape[0]!, a.rows) / Math.max(out.shape[0]!, 1);
    const written = accumulate ? 2 * used * out.byteLength : out.byteLength;
    return {
      operations: 2 * a.size * b.columns,
      bytes: bytesOf([a, b]) + written,
      roundable: true,
    };
  },

  groupedSwiglu: ({ x, tokens, gateWeight, upWeight, gate, up, out }) => {
    const used = Math.min(gateWeight.shape[0]!, out.rows) / Math.max(gateWeight.shape[0]!, 1);
    const kept = gate && up ? [gate, up] : [];
    return {
      operations: 4 * out.size * x.columns,
      bytes: bytesOf([x, tokens, out, ...kept]) + used * bytesOf([gateWeight, upWeight]),
      roundable: true,
    };
  },

  gatherRows: ({ indices, out }) => moving([indices, out, out]),
  scatterAddRows: ({ source, indices, out }) => {
    const rows = Math.min(source.rows, out.rows);
    const touched = 2 * rows * out.columns * 4;
    return {
      ...moving([source, indices], source.size),
      bytes: bytesOf([source, indices]) + touched,
    };
  },
  writeRows: ({ source, indices }) => moving([source, source, indices]),
  concatColumns: ({ out }) => moving([out, out]),
  splitColumns: ({ source }) => moving([source, source]),

  rmsNorm: ({ x, weight, out, inverseRms }) => moving([x, weight, out, inverseRms], 4 * x.size),
  rmsNormBackward: ({ x, weight, inverseRms, dOut, dX }) =>
    moving([x, weight, inverseRms, dOut, dX], 8 * x.size),
  rotary: ({ x, positions, headDim, rotaryDim, out }) => {
    const turned = rotaryDim / headDim;
    const moved = isSame(x, out) ? turned : 1;
    return {
      operations: 3 * turned * x.size,
      bytes: moved * bytesOf([x, out]) + positions.byteLength,
      roundable: false,
    };
  },

  attention: (call, known) => {
    const seen = seenKeys(call, known);
    if (!seen) return null;
    const { query, key, value, out, logSumExp, heads, keyDim, valueDim, past } = call;
    const row = past ? cachedBytes(past) : 0;
    return {
      operations: 2 * (keyDim + valueDim) * heads * seen.pairs,
      bytes: bytesOf([query, key, value, out, logSumExp]) + seen.past * row,
      roundable: true,
    };
  },
  // Scores are computed again, since they are not kept; then the gradients of scores, keys, queries and
  // values.
  attentionBackward: (call, known) => {
    const seen = seenKeys({ ...call, past: null }, known);
    if (!seen) return null;
    const { query, key, value, out, logSumExp, dOut, dQuery, dKey, dValue } = call;
    return {
      operations: 2 * (3 * call.keyDim + 2 * call.valueDim) * call.heads * seen.pairs,
      bytes: bytesOf([query, key, value, out, logSumExp, dOut, dQuery, dKey, dValue]),
      roundable: true,
    };
  },

  swiglu: ({ gate, up, out }) => moving([gate, up, out], 5 * out.size),
  swigluBackward: ({ gate, up, dOut, dGate, dUp }) =>
    moving([gate, up, dOut, dGate, dUp], 10 * dOut.size),

  selectExperts: ({ logits, bias, experts }) => moving([logits, bias, experts], 5 * logits.size),
  expertWeights: ({ experts, weights }) => moving([experts, weights, weights], 6 * weights.size),
  expertWeightsBackward: ({ experts, dWeights }) =>
    moving([experts, dWeights, dWeights, dWeights, dWeights], 10 * dWeights.size),
  groupByExpert: ({ experts, offsets, tokens, rows }) => moving([experts, offsets, tokens, rows]),
  combineRows: ({ source, rows, weights, out }) =>
    moving([source, rows, weights, out], 2 * source.size),
  combineRowsBackward: ({ source, rows, weights, dOut, dSource, dWeights }) =>
    moving([source, rows, weights, dOut, dSource, dWeights], 3 * source.size),
  sumRows: ({ source, rows, out }) => moving([source, rows, out], source.size),
  balanceLoss: ({ logits, experts, rowStart, dLogits }) =>
    moving([logits, experts, rowStart, ...(dLogits ? [dLogits, dLogits] : [])], 10 * logits.size),

  tokenLogprobs: ({ logits, targets, logProbability, entropy, logSumExp }) =>
    moving([logits, targets, logProbability, entropy, logSumExp], 6 * logits.size),
  tokenLogprobsBackward: ({ logits, targets, logSumExp, dLogProbability }) =>
    moving([logits, logits, targets, logSumExp, dLogProbability], 3 * logits.size),
  argmax: ({ x, out }) => moving([x, out], x.size),

  gradientStatistics: ({ x, out }) => moving([x, out], 2 * x.size),
  adamw: ({ parameter, gradient, firstMoment, secondMoment }) =>
    moving(
      [parameter, parameter, gradient, firstMoment, firstMoment, secondMoment, secondMoment],
      15 * parameter.size,
    ),

  ...inferenceWork,
};

function isSame(a: Tensor, b: Tensor): boolean {
  return a.storage === b.storage && a.byteOffset === b.byteOffset;
}

/** Pairs of a row and a key that it sees, and positions of the past that any row sees. */
function seenKeys(
  call: Pick<AttentionShape, 'window'> & { rowStart: Tensor; past: PastKeys | null },
  known: KnownIntegers,
): { pairs: number; past: number } | null {
  const window = call.window ?? Number.POSITIVE_INFINITY;
  const { past } = call;
  const rowStart = known(call.rowStart);
  const sequence = past && known(past.sequence);
  const lengths = past && known(past.lengths);
  if (!rowStart || (past && !(sequence && lengths))) return null;
  const seen = { pairs: 0, past: 0 };
  rowStart.forEach((begin, row) => {
    const held = sequence && lengths ? lengths[sequence[row]!]! : 0;
    seen.pairs += Math.min(held + row - begin + 1, window);
    // The first row of a sequence looks furthest back.
    if (row === begin) seen.past += Math.min(held, window - 1);
  });
  return seen;
}

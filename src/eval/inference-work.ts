import type { FusedKernels } from '../tensor/fused-kernels.ts';
import type { InferenceKernels } from '../tensor/inference-kernels.ts';
import { bytesOf, cachedBytes, type KnownIntegers, moving, type Work } from './work.ts';

type Both = InferenceKernels & FusedKernels;
type Call<Name extends keyof Both> = Parameters<Both[Name]>[0];
type Works = { [Name in keyof Both]: (call: Call<Name>, known: KnownIntegers) => Work | null };

/** The work of each call of a kernel of inference, as `kernelWork` says it. */
export const inferenceWork: Works = {
  writeCachedRows: ({ key, value, indices, ...cache }) => {
    const read = bytesOf([key, value, indices]);
    const bytes = read + indices.size * cachedBytes(cache);
    return { operations: 0, bytes, roundable: false };
  },
  roundToCache: ({ x }) => moving([x, x], x.size),
  // Keys and values are written too.
  attentionInputs: ({ x, norm, weight, query, cache }) => ({
    operations: 2 * (x.rows * weight.size - (x.rows - query.rows) * query.columns * x.columns),
    bytes: bytesOf([x, norm, weight, query]) + x.rows * cachedBytes(cache),
    roundable: true,
  }),
  cachedAttention: ({ query, cache, heads, keyDim, valueDim, window, out }, known) => {
    // `layout` has the positions of the rows, then their sequences.
    const layout = known(cache.layout);
    if (!layout) return null;
    let pairs = 0;
    const furthest = new Map<number, number>();
    for (let row = 0; row < query.rows; row++) {
      const seen = Math.min(layout[row]! + 1, window ?? Number.POSITIVE_INFINITY);
      const sequence = layout[query.rows + row]!;
      pairs += seen;
      furthest.set(sequence, Math.max(furthest.get(sequence) ?? 0, seen));
    }
    // Rows of one sequence read the same keys.
    const keys = [...furthest.values()].reduce((a, b) => a + b, 0);
    return {
      operations: 2 * (keyDim + valueDim) * heads * pairs,
      bytes: bytesOf([query, out]) + keys * cachedBytes(cache),
      roundable: true,
    };
  },
  normGatedProduct: ({ x, norm, gate, up, out }) => ({
    operations: 2 * x.rows * (gate.size + up.size),
    bytes: bytesOf([x, norm, gate, up, out]),
    roundable: true,
  }),
  routeTokens: ({ x, norm, router, bias, normed, experts, weights }) => ({
    operations: 2 * x.rows * router.size,
    bytes: bytesOf([x, norm, router, bias, normed, experts, weights]),
    roundable: false,
  }),
  expertGatedProduct: ({ x, experts, gate, up, out }) => {
    const [count] = gate.shape as [number];
    return {
      operations: (2 * experts.size * (gate.size + up.size)) / count,
      bytes:
        bytesOf([x, experts, out]) + (Math.min(count, experts.size) / count) * bytesOf([gate, up]),
      roundable: true,
    };
  },
  addExpertProducts: ({ x, experts, weights, down, out }) => {
    const [count] = down.shape as [number];
    return {
      operations: (2 * experts.size * down.size) / count,
      bytes:
        bytesOf([x, experts, weights, out, out]) +
        (Math.min(count, experts.size) / count) * down.byteLength,
      roundable: true,
    };
  },
  penalizeLogits: ({ rows, tokens, columns, counts, biases }) =>
    moving([rows, tokens, columns, counts, biases], 6 * columns.size),
  maskLogits: ({ logits, masks, rows }) => moving([logits, logits, masks, rows], logits.size),
  scoreTokens: ({ logits, tokens, places, logprobs, top }) =>
    moving([logits, tokens, places, logprobs, ...(top ? [top] : [])], 4 * logits.size),
  samplingDistribution: ({ logits, settings }) =>
    moving([logits, logits, settings], 6 * logits.size),
  drawTokens: ({ probabilities, uniforms, places, out }) =>
    moving([probabilities, uniforms, places, out], probabilities.size),
  verifyDrafts: ({ targets, drafts, tokens, uniforms, out }) =>
    moving([targets, ...(drafts ? [drafts] : []), tokens, uniforms, out], 3 * targets.size),

  embedAttentionInputs: ({ tokens, ...call }, known) => {
    const inputs = inferenceWork.attentionInputs(call, known)!;
    return { ...inputs, bytes: inputs.bytes + bytesOf([tokens, call.x]) };
  },
  addAttention: ({ weight, out, ...call }, known) => {
    const attention = inferenceWork.cachedAttention({ ...call, out: call.query }, known);
    return (
      attention && {
        operations: attention.operations + 2 * out.rows * weight.size,
        bytes: attention.bytes - call.query.byteLength + bytesOf([weight, out, out]),
        roundable: true,
      }
    );
  },
  addExperts: ({ x, experts, weights, gate, up, down, out }) => {
    const [count] = gate.shape as [number];
    return {
      operations: (2 * experts.size * (gate.size + up.size + down.size)) / count,
      bytes:
        bytesOf([x, experts, weights, out, out]) +
        (Math.min(count, experts.size) / count) * bytesOf([gate, up, down]),
      roundable: true,
    };
  },
  addRoutedExperts: ({ norm, router, bias, normed, ...call }, known) => {
    const experts = inferenceWork.addExperts(call, known)!;
    return {
      operations: experts.operations + 2 * call.x.rows * router.size,
      bytes: experts.bytes + bytesOf([norm, router, bias, ...(normed ? [normed] : [])]),
      roundable: true,
    };
  },
  normProduct: ({ norm, weight, out }) => ({
    operations: 2 * out.rows * weight.size,
    bytes: bytesOf([norm, weight, out]) + 4 * out.rows * weight.columns,
    roundable: true,
  }),
  joinedNormProduct: ({ aRows, aNorm, bRows, bNorm, weight, out }) => ({
    operations: 2 * out.rows * weight.size,
    bytes: bytesOf([aRows, aNorm, bRows, bNorm, weight, out]) + 4 * out.rows * weight.columns,
    roundable: true,
  }),
  sampleTokens: ({ logits, settings, uniforms, places, out }) =>
    moving([logits, logits, settings, uniforms, places, out], 7 * logits.size),
};

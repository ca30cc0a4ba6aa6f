/** What can be asked for about tokens, of the prompt and of the answer. */

export interface TokenLogprob {
  id: number;
  /** Natural logarithm of the probability that the model, at temperature 1, gives the token. */
  logprob: number;
}

/** A token with its log-probability and the most probable ones in its place. */
export interface ScoredToken extends TokenLogprob {
  top: readonly TokenLogprob[];
}

/** Rows of `scoreTokens`, as the host has read them, of the tokens `ids`. */
export function scoredTokens(
  ids: readonly number[],
  logprobs: Float32Array,
  best: Int32Array | null,
  top: number,
): ScoredToken[] {
  const columns = logprobs.length / ids.length;
  return ids.map((id, row) => ({
    id,
    logprob: logprobs[row * columns]!,
    top: Array.from({ length: top }, (_, i) => ({
      id: best![row * (columns - 1) + i]!,
      logprob: logprobs[row * columns + 1 + i]!,
    })),
  }));
}

/** One row of what every layer routed, [layers, experts per token], from `layers` of [T,k] each. */
export function routesOfRow(layers: readonly Int32Array[], row: number, k: number): Int32Array {
  return Int32Array.from(
    layers.flatMap((experts) => [...experts.subarray(row * k, (row + 1) * k)]),
  );
}

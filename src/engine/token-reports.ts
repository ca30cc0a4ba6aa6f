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

/**
 * What `layers` of [T,k] each routed, row by row: [layers, k]. The rows share memory, since a step of many
 * sequences has thousands of them.
 */
export function routesByRow(layers: readonly Int32Array[], k: number): Int32Array[] {
  const width = layers.length * k;
  const rows = width === 0 ? 0 : layers[0]!.length / k;
  const joined = new Int32Array(rows * width);
  layers.forEach((experts, layer) => {
    for (let row = 0, from = 0; row < rows; row++) {
      const begin = row * width + layer * k;
      for (let i = 0; i < k; i++) joined[begin + i] = experts[from++]!;
    }
  });
  return Array.from({ length: rows }, (_, row) => joined.subarray(row * width, (row + 1) * width));
}

/** Routes of some positions after those of others. */
export function joinRoutes(parts: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const part of parts) {
    all.set(part, end);
    end += part.length;
  }
  return all;
}

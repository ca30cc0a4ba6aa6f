/** How the sampler's log-probabilities compare with the trainer's, and how old the tokens are. */
import type { Trajectory } from '../trajectory.ts';

/** Over sampled tokens. Tokens drawn at another temperature than 1 are no sample of μ: figures then lean. */
export interface MismatchFigures {
  /** Tokens that these are means of. */
  tokens: number;
  /** KL(μ‖π_θ): mean of log μ − log π_θ. Without bias, but noisy: it can be negative. */
  kl: number;
  /** The same as the mean of π/μ − 1 − log(π/μ): never negative, and of far less variance. */
  klPositive: number;
  /** The largest |log π_θ − log μ|. */
  largestGap: number;
  /** Share of tokens whose π_θ/μ is below 0.5: what the gate of equation 8 drops by default. */
  below: number;
  /** And above 5. */
  above: number;
}

export class MismatchSums {
  #tokens = 0;
  #difference = 0;
  #positive = 0;
  #largest = 0;
  #below = 0;
  #above = 0;

  /** `live` [tokens]: log π_θ. */
  add({ sampled, logprobs }: Trajectory, live: Float32Array): void {
    for (const [t, one] of sampled.entries()) {
      if (!one) continue;
      const gap = live[t]! - logprobs[t]!;
      const ratio = Math.exp(gap);
      this.#tokens++;
      this.#difference -= gap;
      this.#positive += ratio - 1 - gap;
      this.#largest = Math.max(this.#largest, Math.abs(gap));
      this.#below += ratio < 0.5 ? 1 : 0;
      this.#above += ratio > 5 ? 1 : 0;
    }
  }

  means(): MismatchFigures {
    const count = this.#tokens || 1;
    return {
      tokens: this.#tokens,
      kl: this.#difference / count,
      klPositive: this.#positive / count,
      largestGap: this.#largest,
      below: this.#below / count,
      above: this.#above / count,
    };
  }
}

/** Versions between the one that drew each sampled token and the one that is trained. */
export function stalenessFigures(
  examples: readonly { trajectory: Trajectory }[],
  version: number,
): { mean: number; max: number } {
  let [sum, count, max] = [0, 0, 0];
  for (const { trajectory } of examples) {
    const { sampled, versions } = trajectory;
    for (const [t, one] of sampled.entries()) {
      if (!one) continue;
      const age = version - versions[t]!;
      sum += age;
      count++;
      max = Math.max(max, age);
    }
  }
  return { mean: sum / (count || 1), max };
}

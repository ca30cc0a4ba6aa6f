/**
 * What an algorithm of post-training is: a rule that turns trajectories into the weights c_t of the one
 * objective, L = −Σ c_t·log π_θ(y_t). The trainer knows no algorithm, and an algorithm no tensor.
 *
 * Weights are constants to the gradient (sg[·] in the report's equations), but may depend on log π_θ: it is
 * read between the forward and the backward pass, so π_θ is the trainer's own, of the very pass whose
 * gradient is taken, and not the sampler's μ_θ.
 */
import type { Trajectory } from '../trajectory.ts';

export interface Algorithm {
  name: string;
  /** How many of the teacher's most probable tokens are weighed beside each sampled one. */
  topCount: number;
  /**
   * Begins a step on these trajectories together. `version` is that of the weights that are trained.
   *
   * @throws UserError if an example lacks what the algorithm needs
   */
  begin(examples: readonly Example[], version: number): Weigh;
}

/** A trajectory with what was said about it. */
export interface Example {
  trajectory: Trajectory;
  /** Of the teacher of its domain; null where the algorithm needs none. */
  teacher: TeacherScores | null;
}

/** What a teacher thinks of a trajectory, at temperature 1 and by its own routing. */
export interface TeacherScores {
  /** [tokens]: log π_teacher of each sampled token; 0 for given ones. */
  logprobs: Float32Array;
  /** Null if none were asked for. */
  top: TopTokens | null;
}

/** The most probable tokens in the place of each sampled token. */
export interface TopTokens {
  count: number;
  /** [tokens·count]; −1 in the places of given tokens. */
  tokens: Int32Array;
  /** [tokens·count] */
  logprobs: Float32Array;
}

/** The weights of the example with an index, from its log-probabilities in this forward pass. */
export type Weigh = (index: number, live: LiveLogprobs) => TokenWeights;

export interface LiveLogprobs {
  /** [tokens]: log π_θ of each sampled token at temperature 1; 0 for given ones. */
  logprobs: Float32Array;
  /** [tokens·topCount]: log π_θ of the teacher's most probable tokens; empty if none are weighed. */
  top: Float32Array;
}

export interface TokenWeights {
  /** [tokens]: c_t; 0 for given tokens. */
  weights: Float32Array;
  /** [tokens·topCount]: c of the teacher's most probable tokens. */
  top: Float32Array;
  /** Sums over the sampled tokens, by name; metrics show their means. */
  sums: Record<string, number>;
}

import { UserError } from '../errors.ts';
import { isLogProbability } from './log-probability.ts';
import type { Routes, RoutesBuilder } from './routes.ts';

/**
 * What a policy did with one problem: prompt, its own turns and what tools answered, as one append-only
 * sequence of tokens. It is never rendered or tokenised again, so what is trained on is what was sampled.
 * All arrays have an entry a token.
 */
export interface Trajectory {
  /** Unique in a run. */
  id: string;
  /** Trajectories of one prompt, which are compared with each other. */
  group: string;
  /** Which teacher it is for and which figures it counts in. */
  domain: string;
  tokens: Int32Array;
  /** 1 where the policy drew the token, 0 where it was given: prompts and what tools answered. */
  sampled: Uint8Array;
  /** log μ of each sampled token, at temperature 1 whatever it was drawn with; 0 for given ones. */
  logprobs: Float32Array;
  /** The version of the weights that drew each token; −1 for given ones. */
  versions: Int32Array;
  /** The experts that each position was routed to while sampling; null if they were not recorded. */
  routes: Routes | null;
  /** The outcome reward, of which more is better; null while it is not known. */
  reward: number | null;
  /** 'length' if it was cut: by its limit of tokens or of turns. */
  finish: 'stop' | 'length';
}

/** A trajectory that is being made; may be left for later, and go on with other weights. */
export class TrajectoryBuilder {
  readonly #tokens: number[] = [];
  readonly #sampled: number[] = [];
  readonly #logprobs: number[] = [];
  readonly #versions: number[] = [];
  readonly routes: RoutesBuilder | null;

  constructor(routes: RoutesBuilder | null) {
    this.routes = routes;
  }

  get tokens(): readonly number[] {
    return this.#tokens;
  }

  /** Number of tokens that the policy drew. */
  get sampledCount(): number {
    return this.#sampled.reduce((sum, one) => sum + one, 0);
  }

  appendGiven(tokens: readonly number[]): void {
    for (const token of tokens) this.#append(token, 0, 0, -1);
  }

  /** `logprobs`: of each token, at temperature 1. */
  appendSampled(tokens: readonly number[], logprobs: readonly number[], version: number): void {
    if (tokens.length !== logprobs.length) {
      throw new UserError(
        `${tokens.length} sampled tokens came with ${logprobs.length} log-probabilities`,
      );
    }
    tokens.forEach((token, i) => {
      const logprob = logprobs[i]!;
      if (!isLogProbability(logprob)) {
        throw new UserError(`a sampled token has log-probability ${logprob}`);
      }
      this.#append(token, 1, Math.min(0, logprob), version);
    });
  }

  /** What there is so far, one entry a token. */
  get contents(): Pick<Trajectory, 'tokens' | 'sampled' | 'logprobs' | 'versions'> {
    return {
      tokens: Int32Array.from(this.#tokens),
      sampled: Uint8Array.from(this.#sampled),
      logprobs: Float32Array.from(this.#logprobs),
      versions: Int32Array.from(this.#versions),
    };
  }

  finish(told: Pick<Trajectory, 'id' | 'group' | 'domain' | 'reward' | 'finish'>): Trajectory {
    return {
      ...told,
      ...this.contents,
      routes: this.routes?.finish(this.#tokens.length - 1) ?? null,
    };
  }

  #append(token: number, sampled: number, logprob: number, version: number): void {
    this.#tokens.push(token);
    this.#sampled.push(sampled);
    this.#logprobs.push(logprob);
    this.#versions.push(version);
  }
}

/**
 * Packs whole trajectories into micro-batches, and carries numbers between the two: the objective has them
 * by target, algorithms by trajectory and token.
 */
import { UserError } from '../../errors.ts';
import { type TrainingBatch, targetsAhead, trainingBatch } from '../../train/targets.ts';
import type { Example, LiveLogprobs, TokenWeights } from '../algorithms/algorithm.ts';
import type { Trajectory } from '../trajectory.ts';

export interface PackingOptions {
  /** Most tokens of a micro-batch. */
  budget: number;
  /** Whether recorded routes are replayed; each trajectory must have them then. */
  replay: boolean;
  /** How many of the teacher's most probable tokens are predicted beside each sampled one. */
  topCount: number;
}

/** @throws UserError if a trajectory does not fit, or lacks the routes that are to be replayed */
export function packTrajectories(
  examples: readonly Example[],
  options: PackingOptions,
): PolicyBatch[] {
  const lengths = examples.map(({ trajectory }) => trajectory.tokens.length);
  for (const { trajectory } of examples) assertFits(trajectory, options);
  return evenBins(lengths, options.budget).map(
    (members) => new PolicyBatch(examples, members, options),
  );
}

/**
 * As few micro-batches as the budget allows, and all of about one size: what one has computed in is of use
 * to the next, where a small one at the end would ask the device for other memory.
 *
 * @returns indices of what is in each; the longest first, each to the emptiest
 */
function evenBins(lengths: readonly number[], budget: number): number[][] {
  // Equal ones stay in order, so that a step is the same every time.
  const order = [...lengths.keys()].sort((a, b) => lengths[b]! - lengths[a]!);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  for (let count = Math.ceil(total / budget); ; count++) {
    const bins = Array.from({ length: count }, () => ({ tokens: 0, members: [] as number[] }));
    for (const index of order) {
      const emptiest = bins.reduce((least, bin) => (bin.tokens < least.tokens ? bin : least));
      emptiest.tokens += lengths[index]!;
      emptiest.members.push(index);
    }
    if (bins.every(({ tokens }) => tokens <= budget)) return bins.map(({ members }) => members);
  }
}

export class PolicyBatch {
  readonly batch: TrainingBatch;
  /** Indices of the examples in it. */
  readonly members: readonly number[];
  readonly #examples: readonly Example[];
  readonly #topCount: number;
  /** The sampled tokens, in the order of the batch's targets. */
  readonly #places: readonly { member: number; token: number }[];

  constructor(
    examples: readonly Example[],
    members: readonly number[],
    { replay, topCount }: PackingOptions,
  ) {
    this.members = members;
    this.#examples = examples;
    this.#topCount = topCount;
    this.#places = members.flatMap((index, member) => {
      const { sampled } = examples[index]!.trajectory;
      return [...sampled.keys()].filter((t) => sampled[t]).map((token) => ({ member, token }));
    });
    const trajectories = members.map((index) => examples[index]!.trajectory);
    // What a policy drew is what there is to predict; how much each counts is known after the forward pass.
    const batch = trainingBatch(
      trajectories.map(({ tokens }) => tokens),
      trajectories.map(({ sampled }) => sampled),
    );
    this.batch = {
      ...batch,
      ...(replay && { routes: packRoutes(trajectories) }),
      ...(topCount > 0 && { candidates: this.#candidates(batch) }),
    };
  }

  /** log π by target → by trajectory and token. */
  unpack(logProbability: Float32Array): { index: number; live: LiveLogprobs }[] {
    const places = this.#places;
    const candidates = logProbability.subarray(places.length);
    const found = this.members.map((index) => {
      const { length } = this.#examples[index]!.trajectory.tokens;
      const live = {
        logprobs: new Float32Array(length),
        top: new Float32Array(length * this.#topCount),
      };
      return { index, live };
    });
    places.forEach(({ member, token }, i) => {
      const { live } = found[member]!;
      live.logprobs[token] = logProbability[i]!;
      const begin = i * this.#topCount;
      live.top.set(candidates.subarray(begin, begin + this.#topCount), token * this.#topCount);
    });
    return found;
  }

  /** Weights by trajectory and token, in the order of `members` → by target. */
  pack(weights: readonly TokenWeights[]): Float32Array {
    const places = this.#places;
    const packed = new Float32Array(places.length * (1 + this.#topCount));
    places.forEach(({ member, token }, i) => {
      packed[i] = weights[member]!.weights[token]!;
      const begin = token * this.#topCount;
      const top = weights[member]!.top.subarray(begin, begin + this.#topCount);
      packed.set(top, places.length + i * this.#topCount);
    });
    return packed;
  }

  /** The teacher's most probable tokens in the place of each target. */
  #candidates(batch: TrainingBatch): { rows: Int32Array; tokens: Int32Array } {
    const { rows } = targetsAhead(batch, 1);
    const count = this.#topCount;
    const tokens = new Int32Array(rows.length * count);
    this.#places.forEach(({ member, token }, i) => {
      const { top } = this.#examples[this.members[member]!]!.teacher!;
      tokens.set(top!.tokens.subarray(token * count, (token + 1) * count), i * count);
    });
    return { rows: tokens.map((_, i) => rows[Math.floor(i / count)]!), tokens };
  }
}

/**
 * For each layer of experts, the experts [T·k] of all tokens. The last token of a sequence has passed no
 * layer while sampling; nothing looks at its row here, and it goes where the one before it went.
 */
function packRoutes(trajectories: readonly Trajectory[]): Int32Array[] {
  const { layers, perToken } = trajectories[0]!.routes!;
  const count = trajectories.reduce((sum, { tokens }) => sum + tokens.length, 0);
  return Array.from({ length: layers }, (_, layer) => {
    const packed = new Int32Array(count * perToken);
    let row = 0;
    for (const { tokens, routes } of trajectories) {
      const { experts } = routes!;
      for (let t = 0; t < tokens.length; t++, row++) {
        const position = Math.min(t, tokens.length - 2);
        const begin = (position * layers + layer) * perToken;
        for (let i = 0; i < perToken; i++) packed[row * perToken + i] = experts[begin + i]!;
      }
    }
    return packed;
  });
}

function assertFits({ id, tokens, routes }: Trajectory, { budget, replay }: PackingOptions): void {
  if (tokens.length > budget) {
    throw new UserError(
      `trajectory ${id}: its ${tokens.length} tokens do not fit into a micro-batch of ${budget}; ` +
        'raise microBatchTokens or lower the longest length of rollouts',
    );
  }
  if (replay && !routes) {
    throw new UserError(
      `trajectory ${id}: has no routes to replay; record them in rollouts, or switch the replay off`,
    );
  }
}

/** Trajectories for tests: written by hand, or sampled by the engine. */
import { Engine } from '../../src/engine/engine.ts';
import type { TrainableModel } from '../../src/model/weights.ts';
import type { Example, LiveLogprobs, TeacherScores } from '../../src/rl/algorithms/algorithm.ts';
import { expertLayerCount } from '../../src/rl/check-trajectory.ts';
import { RoutesBuilder } from '../../src/rl/routes.ts';
import { type Trajectory, TrajectoryBuilder } from '../../src/rl/trajectory.ts';

/** One given token and then sampled ones, with these log μ. */
export function written(
  logprobs: readonly number[],
  changes: Partial<Trajectory> = {},
  versions: readonly number[] = logprobs.map(() => 0),
): Trajectory {
  return {
    id: 'written',
    group: 'group',
    domain: 'math',
    tokens: Int32Array.of(1, ...logprobs.map((_, i) => i + 2)),
    sampled: Uint8Array.of(0, ...logprobs.map(() => 1)),
    logprobs: Float32Array.of(0, ...logprobs),
    versions: Int32Array.of(-1, ...versions),
    routes: null,
    reward: null,
    finish: 'stop',
    ...changes,
  };
}

export function example(trajectory: Trajectory, teacher: readonly number[] | null = null): Example {
  return { trajectory, teacher: teacher && scores(teacher) };
}

/** A teacher's log-probabilities of the tokens after the first. */
export function scores(logprobs: readonly number[]): TeacherScores {
  return { logprobs: Float32Array.of(0, ...logprobs), top: null };
}

/** log π_θ of the tokens after the first. */
export function live(logprobs: readonly number[], top: readonly number[] = []): LiveLogprobs {
  return { logprobs: Float32Array.of(0, ...logprobs), top: Float32Array.from(top) };
}

export interface RolloutOptions {
  prompts: readonly (readonly number[])[];
  /** Of each prompt. */
  samples: number;
  maxTokens: number;
  temperature?: number;
  seed?: number;
  version?: number;
  domain?: string;
}

/** Samples of one length with drafts, log-probabilities and routes, as a run of reinforcement learning does. */
export async function sample(
  model: TrainableModel,
  options: RolloutOptions,
): Promise<Trajectory[]> {
  const { prompts, samples, maxTokens, temperature = 1, seed = 0, version = 0 } = options;
  const engine = new Engine(model);
  const { count, perToken } = model.config.experts;
  const shape = { layers: expertLayerCount(model.config), perToken, count };
  const one = async (prompt: readonly number[], group: number, i: number) => {
    const builder = new TrajectoryBuilder(new RoutesBuilder(shape));
    const steps = engine.generate(prompt, {
      maxTokens,
      stopTokens: [],
      sampling: { temperature },
      seed: seed * 1000 + group * samples + i,
      logprobs: { top: 0 },
      routedExperts: { from: 0 },
    });
    builder.appendGiven(prompt);
    for await (const { tokens, scores, experts, prompt: read } of steps) {
      if (read) builder.routes!.append(0, read.experts!);
      const logprobs = scores!.map(({ logprob }) => logprob);
      builder.appendSampled(tokens, logprobs, version);
      for (const row of experts!) builder.routes!.append(builder.routes!.positions, row);
    }
    return builder.finish({
      id: `${group}.${i}`,
      group: `${group}`,
      domain: options.domain ?? 'math',
      reward: null,
      finish: 'length',
    });
  };
  try {
    return await Promise.all(
      prompts.flatMap((prompt, group) =>
        Array.from({ length: samples }, (_, i) => one(prompt, group, i)),
      ),
    );
  } finally {
    await engine.release();
  }
}

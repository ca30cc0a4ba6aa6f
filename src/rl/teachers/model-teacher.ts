/** A teacher in this process: a model that stays in memory, or is there only while it scores. */
import { UserError } from '../../errors.ts';
import { releaseModel, type TrainableModel } from '../../model/weights.ts';
import type { TeacherScores } from '../algorithms/algorithm.ts';
import { packTrajectories } from '../trainer/policy-batch.ts';
import type { Trajectory } from '../trajectory.ts';
import { prefillScores } from './prefill.ts';
import { scoresProblem, type Teacher, TeacherFailure } from './teacher.ts';

export interface ModelTeacherOptions {
  /** Loads the model; what it gives belongs to the teacher. */
  load(): Promise<TrainableModel>;
  /** Whether the model stays in memory after it has scored. Several teachers may not fit together. */
  resident: boolean;
  /** Most tokens computed at once. */
  microBatchTokens: number;
}

export class ModelTeacher implements Teacher {
  readonly name: string;
  readonly isRemote = false;
  readonly #options: ModelTeacherOptions;
  #model: TrainableModel | null = null;

  constructor(name: string, options: ModelTeacherOptions) {
    this.name = name;
    this.#options = options;
  }

  /** Loads the model before it is asked for. */
  async open(): Promise<TrainableModel> {
    this.#model ??= await this.#options.load();
    return this.#model;
  }

  /** A teacher that cannot be loaded scores nothing, and says so for each trajectory. */
  async score(
    trajectories: readonly Trajectory[],
    topCount: number,
    signal?: AbortSignal,
  ): Promise<(TeacherScores | TeacherFailure)[]> {
    try {
      return await this.#scoreWith(await this.open(), trajectories, topCount, signal);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const message = `teacher ${this.name}: ${error.message}`;
      return trajectories.map(() => new TeacherFailure('unreachable', message, { cause: error }));
    } finally {
      if (!this.#options.resident) this.#release();
    }
  }

  async close(): Promise<void> {
    this.#release();
  }

  async #scoreWith(
    model: TrainableModel,
    trajectories: readonly Trajectory[],
    topCount: number,
    signal: AbortSignal | undefined,
  ): Promise<(TeacherScores | TeacherFailure)[]> {
    const { maxPositions } = model.config;
    const { microBatchTokens } = this.#options;
    const most = Math.min(maxPositions, microBatchTokens);
    const results: (TeacherScores | TeacherFailure)[] = trajectories.map(({ id, tokens }) => {
      const limit = most === maxPositions ? 'positions' : 'tokens of a micro-batch';
      return new TeacherFailure(
        'refused',
        `teacher ${this.name}: trajectory ${id} has ${tokens.length} tokens, more than its ${most} ${limit}`,
      );
    });
    const fitting = [...trajectories.keys()].filter((i) => trajectories[i]!.tokens.length <= most);
    const examples = fitting.map((i) => ({ trajectory: trajectories[i]!, teacher: null }));
    const batches = packTrajectories(examples, {
      budget: microBatchTokens,
      replay: false,
      topCount: 0,
    });
    for (const { members } of batches) {
      signal?.throwIfAborted();
      const batch = members.map((member) => examples[member]!.trajectory);
      const scores = await prefillScores(model, batch, topCount);
      members.forEach((member, i) => {
        results[fitting[member]!] = scoresProblem(this.name, batch[i]!, scores[i]!) ?? scores[i]!;
      });
    }
    return results;
  }

  #release(): void {
    if (this.#model) releaseModel(this.#model);
    this.#model = null;
  }
}

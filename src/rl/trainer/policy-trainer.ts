/**
 * The step of post-training: trajectories into micro-batches, one forward pass of each with its recorded
 * routes, the algorithm's weights from the log-probabilities of that pass, the backward pass of the same,
 * and one AdamW update. It knows no algorithm: see `Algorithm`.
 *
 * Routing replay (R3, Ma et al. 2025): the experts are those of the rollout, their weights the router's live
 * scores at these experts, g_i = s_i/Σ_j s_j with s = sigmoid(logits). So the policy that is trained is the
 * one that sampled, and gradient still reaches the router, also where it would choose otherwise by now.
 */
import { UserError } from '../../errors.ts';
import type { ModelConfig } from '../../model/config.ts';
import type { TrainableModel } from '../../model/weights.ts';
import { updateExpertBias } from '../../train/expert-bias.ts';
import type { MtpGradient } from '../../train/forward.ts';
import type { GradientReport } from '../../train/gradient-report.ts';
import {
  allocateGradients,
  type Gradients,
  releaseGradients,
  zeroGradients,
} from '../../train/gradients.ts';
import { forwardBackward, type Recompute, score } from '../../train/objective.ts';
import { AdamW, type AdamWOptions, GradientNotFiniteError } from '../../train/optimizer.ts';
import type { Schedule } from '../../train/schedule.ts';
import { stepTotals } from '../../train/targets.ts';
import type { Algorithm, Example, TeacherScores, Weigh } from '../algorithms/algorithm.ts';
import { expertLayerCount, trajectoryProblem } from '../check-trajectory.ts';
import type { Trajectory } from '../trajectory.ts';
import { type PolicyBatch, packTrajectories } from './policy-batch.ts';
import { type MismatchFigures, MismatchSums, stalenessFigures } from './policy-figures.ts';
import { type PolicyMetrics, StepSums } from './policy-metrics.ts';
import { RouteAudit } from './route-audit.ts';

export interface PolicyTrainerOptions {
  schedule: Schedule;
  adamw: AdamWOptions;
  /** Most tokens computed at once. */
  microBatchTokens: number;
  /** Whether the rollouts' routes are replayed (R3). Default true. */
  replay?: boolean;
  /** Whether routers are left as they are, as NeMo-RL's recipes have it; the report does not say. Default false. */
  freezeRouter?: boolean;
  /**
   * λ of the MTP heads' cross-entropy on the sampled tokens, a mean over these, so that drafts follow the
   * policy as it moves. The report gives none for post-training; default 0.1, its last of pre-training.
   */
  mtpLossWeight?: number;
  /**
   * Default 'heads': in the trunk the MTP loss would be maximum likelihood of what the student happened to
   * sample, good or bad, a term that equation 7 does not have.
   */
  mtpGradient?: MtpGradient;
  /** What a selection bias moves by in a step. Default 1e-4, the report's for SFT. */
  expertBiasRate?: number;
  /** Of the sequence-wise balance loss; default 0, as it is not in equation 7. */
  balanceCoefficient?: number;
  recompute?: Recompute;
}

export class PolicyTrainer {
  readonly model: TrainableModel;
  readonly optimizer: AdamW;
  readonly #gradients: Gradients;
  readonly #options: Required<PolicyTrainerOptions>;
  readonly #audit: RouteAudit;
  /** The model on the device that the audit watches. */
  readonly #watched: TrainableModel;

  constructor(model: TrainableModel, options: PolicyTrainerOptions) {
    this.model = model;
    this.#options = { ...defaults, ...options };
    const isTrained = (name: string) =>
      !(this.#options.freezeRouter && name.endsWith('.mlp.gate.weight'));
    this.#gradients = allocateGradients(model, isTrained);
    this.optimizer = new AdamW(model, this.#gradients, options.adamw);
    this.#audit = new RouteAudit(model.device);
    this.#watched = { ...model, device: this.#audit.device };
  }

  /**
   * Takes one step on the examples together. In mixed precision, a gradient that leaves the range of f16 is
   * computed again with more room: weights of tokens have tails that cross-entropy has not.
   *
   * @param version of the weights that are trained, of which tokens' staleness is counted
   * @throws UserError if an example is malformed, or the loss or the gradient is not finite; the parameters
   *   are then unchanged
   */
  async step(
    examples: readonly Example[],
    algorithm: Algorithm,
    version: number,
  ): Promise<PolicyMetrics> {
    const batches = this.#pack(examples, this.#options.replay, algorithm.topCount);
    for (const { trajectory } of examples) assertDrawnBefore(version, trajectory);
    const take = (headroom: number) => this.#take(examples, batches, algorithm, version, headroom);
    try {
      return await take(1);
    } catch (error) {
      const isRounded = this.model.device.precision === 'mixed';
      if (!isRounded || !(error instanceof GradientNotFiniteError)) throw error;
      return await take(muchHeadroom);
    }
  }

  async #take(
    examples: readonly Example[],
    batches: readonly PolicyBatch[],
    algorithm: Algorithm,
    version: number,
    gradientHeadroom: number,
  ): Promise<PolicyMetrics> {
    const weigh = algorithm.begin(examples, version);
    try {
      const sums = await this.#accumulate(examples, batches, weigh, gradientHeadroom);
      const learningRate = this.#options.schedule(this.optimizer.stepCount);
      const gradient = await this.#update(sums, learningRate);
      return {
        step: this.optimizer.stepCount,
        version,
        trajectories: examples.length,
        microBatches: batches.length,
        ...sums.metrics(),
        staleness: stalenessFigures(examples, version),
        learningRate,
        gradientHeadroom,
        gradient,
      };
    } catch (error) {
      // Whoever goes on after this must not find half a step's gradient.
      zeroGradients(this.model, this.#gradients);
      this.#audit.reset();
      throw error;
    }
  }

  /**
   * How the trainer's log-probabilities differ from the sampler's, with the rollouts' routes or with its
   * own. A forward pass of its own; nothing is learnt.
   */
  async mismatch(
    trajectories: readonly Trajectory[],
    { replay }: { replay: boolean },
  ): Promise<MismatchFigures> {
    const examples = trajectories.map((trajectory) => ({ trajectory, teacher: null }));
    const sums = new MismatchSums();
    for (const packed of this.#pack(examples, replay, 0)) {
      const { nextToken } = await score(this.model, packed.batch, 0);
      for (const { index, live } of packed.unpack(nextToken.logProbability)) {
        sums.add(trajectories[index]!, live.logprobs);
      }
    }
    return sums.means();
  }

  /** Gives back gradients and moments; the model stays. */
  release(): void {
    this.optimizer.release();
    releaseGradients(this.model, this.#gradients);
  }

  #pack(examples: readonly Example[], replay: boolean, topCount: number): PolicyBatch[] {
    const { config } = this.model;
    if (examples.length === 0) throw new UserError('a step without trajectories: there are none');
    for (const { trajectory, teacher } of examples) {
      const problem = trajectoryProblem(trajectory, config) ?? topProblem(teacher, config);
      if (problem) throw new UserError(`trajectory ${trajectory.id}: ${problem}`);
    }
    return packTrajectories(examples, {
      budget: this.#options.microBatchTokens,
      replay: replay && expertLayerCount(config) > 0,
      topCount,
    });
  }

  /** Adds up the gradient of a step, micro-batch by micro-batch. */
  async #accumulate(
    examples: readonly Example[],
    batches: readonly PolicyBatch[],
    weigh: Weigh,
    gradientHeadroom: number,
  ): Promise<StepSums> {
    const { mtpLossWeight, mtpGradient, balanceCoefficient, recompute } = this.#options;
    const totals = stepTotals(
      batches.map(({ batch }) => batch),
      this.model.config.mtpHeads,
    );
    const sums = new StepSums(totals);
    for (const packed of batches) {
      const result = await forwardBackward(this.#watched, this.#gradients, packed.batch, {
        totals,
        mtpLossWeight,
        mtpGradient,
        balanceCoefficient,
        recompute,
        gradientHeadroom,
        weigh: (logProbability) => {
          const weights = packed.unpack(logProbability).map(({ index, live }) => {
            sums.mismatch.add(examples[index]!.trajectory, live.logprobs);
            const weighed = weigh(index, live);
            sums.addWeights(weighed);
            return weighed;
          });
          return packed.pack(weights);
        },
      });
      sums.addResult(packed, result);
      sums.routesReplayed += this.#finishAudit(packed);
    }
    return sums;
  }

  /** → how many recorded routes the micro-batch consumed. */
  #finishAudit({ batch, members }: PolicyBatch): number {
    if (!batch.routes) {
      this.#audit.reset();
      return 0;
    }
    const layers = batch.routes.length;
    const recomputes = this.#options.recompute === 'layers';
    this.#audit.finish({ layers, rows: batch.tokens.length, recomputes });
    // The last token of each has no route of its own.
    return layers * (batch.tokens.length - members.length);
  }

  async #update(sums: StepSums, learningRate: number): Promise<GradientReport> {
    const losses = [sums.loss, ...sums.mtpLosses];
    if (!losses.every(Number.isFinite)) {
      throw new UserError(
        `step ${this.optimizer.stepCount + 1}: the losses are ${losses.join(', ')}: training ` +
          'diverged; lower the learning rate, or gate more narrowly',
      );
    }
    // Without a weight there is no gradient, but momentum and decay would move the policy all the same.
    if (!sums.updated) {
      const report = await this.optimizer.measure();
      zeroGradients(this.model, this.#gradients);
      return report;
    }
    const report = await this.optimizer.step(learningRate);
    await updateExpertBias(this.model, sums.loads, this.#options.expertBiasRate);
    return report;
  }
}

/** For a gradient that left the range of f16: from 256 at most to 1/4. */
const muchHeadroom = 1024;

const defaults = {
  replay: true,
  freezeRouter: false,
  mtpLossWeight: 0.1,
  mtpGradient: 'heads',
  expertBiasRate: 1e-4,
  balanceCoefficient: 0,
  recompute: 'none',
} as const;

function topProblem(teacher: TeacherScores | null, { vocabSize }: ModelConfig): string | null {
  const unknown = teacher?.top?.tokens.find((token) => token >= vocabSize);
  return unknown === undefined ? null : `its teacher tells of token ${unknown}, of ${vocabSize}`;
}

function assertDrawnBefore(version: number, { id, versions }: Trajectory): void {
  const later = versions.find((drawnBy) => drawnBy > version);
  if (later !== undefined) {
    throw new UserError(
      `trajectory ${id}: was drawn by version ${later} of the weights, and version ${version} is trained`,
    );
  }
}

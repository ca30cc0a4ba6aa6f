import { stepMtpBlock, stepStates, stepTrunk } from '../model/step.ts';
import type { Model } from '../model/weights.ts';
import { gatherRows } from '../tensor/ops/index.ts';
import type { Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type ConstrainedOutput, firstMasks, type StepMasks } from './constrained-output.ts';
import type { KeyValuePool } from './key-value-pool.ts';
import type { OutputHead } from './output-head.ts';
import { countRows } from './row-ranges.ts';
import type { StepInputs } from './step-inputs.ts';
import type { StepOutputs } from './step-outputs.ts';
import type { StepPlan } from './step-plan.ts';

/** What a step runs on the device: the MTP blocks, which draft, and the trunk, which verifies. */
export class StepPasses {
  readonly #model: Model;
  readonly #pool: KeyValuePool;
  readonly #head: OutputHead;

  constructor(model: Model, pool: KeyValuePool, head: OutputHead) {
    this.#model = model;
    this.#pool = pool;
    this.#head = head;
  }

  /** Passes the last tokens through the trunk → the next of each sequence, drawn at once. */
  drawNext(scope: Scope, inputs: StepInputs): Tensor {
    const { settings, uniforms, places } = inputs.trunk;
    const logits = this.#passTrunk(scope, inputs, []);
    const out = scope.empty([uniforms.rows], 'i32');
    this.#head.sample({ logits, settings, uniforms, places, out });
    return out;
  }

  /** Drafts with each block in turn → the distributions drafted from, [D·S, V]. */
  draft(
    scope: Scope,
    { blocks }: StepPlan,
    inputs: StepInputs,
    constraints: readonly (ConstrainedOutput | null)[],
  ): Tensor {
    const model = this.#model;
    const { states } = this.#pool;
    const { tokens, settings } = inputs;
    const count = inputs.trunk.uniforms.rows;
    const masks = firstMasks(scope, constraints);
    const distributions = scope.empty([blocks.length * count, model.head.shape[0]!]);
    for (const [head, { drafting, rows, firstToken }] of blocks.entries()) {
      const { slidingLayout, draftingLayout, stateRows, lastRows, uniforms, places } =
        inputs.blocks[head]!;
      const logits = distributions.slice(head * count, (head + 1) * count);
      const own = tokens.slice(firstToken, firstToken + rows);
      const cache = this.#pool.stepCache({ sliding: slidingLayout });
      // A sequence of a single token has no rows: its drafts are guesses from a state of zeros.
      const x =
        rows > 0
          ? stepMtpBlock(scope, model, head, own, states, stateRows, cache, {
              count: countRows(drafting),
              cache: this.#pool.stepCache({ sliding: draftingLayout }),
            })
          : states;
      this.#head.normLogits(model.mtp[head]!.finalNorm, x, lastRows, logits);
      this.#head.penalize(inputs, logits, inputs.changes?.blockRows[head]);
      // What may follow a draft is known only once it is, but guesses need not be allowed.
      if (head === 0 && masks) model.device.kernels.maskLogits({ logits, ...masks });
      this.#head.sample({ logits, settings, uniforms, places, out: tokens });
    }
    return distributions;
  }

  /** Passes the last tokens and their drafts through the trunk, and chooses as `verifyDrafts` does. */
  verify(
    scope: Scope,
    inputs: StepInputs,
    drafts: Tensor | null,
    masks: StepMasks | null,
    { chosen, scores, experts }: StepOutputs,
  ): void {
    const model = this.#model;
    const { kernels } = model.device;
    const { settings, uniforms } = inputs.trunk;
    const tokens = inputs.tokens.slice(0, uniforms.size);
    const targets = this.#passTrunk(scope, inputs, experts);
    // Log-probabilities are the model's own, whatever is done to its logits next.
    const scored = inputs.scored && gatherRows(scope, targets, inputs.scored.rows);
    this.#head.penalize(inputs, targets, inputs.changes?.trunkRows);
    if (masks) kernels.maskLogits({ logits: targets, ...masks });
    this.#head.distributions(targets, settings);
    kernels.verifyDrafts({ targets, drafts, tokens, uniforms, out: chosen });
    if (scored && scores) this.#head.score(scored, chosen, inputs.scored!.places, scores);
  }

  /** Passes the last tokens and their drafts through the trunk → logits [S·(D+1), V]. */
  #passTrunk(scope: Scope, inputs: StepInputs, routes: readonly Tensor[]): Tensor {
    const model = this.#model;
    const { globalLayout, slidingLayout, width, stateRows, uniforms } = inputs.trunk;
    const tokens = inputs.tokens.slice(0, uniforms.size);
    const cache = this.#pool.stepCache({ global: globalLayout, width, sliding: slidingLayout });
    const { residual } = stepTrunk(scope, model, tokens, cache, routes);
    if (model.mtp.length > 0) {
      this.#pool.writeStates(stepStates(scope, model, residual), [stateRows]);
    }
    const logits = scope.empty([tokens.size, model.head.shape[0]!]);
    this.#head.normLogits(model.finalNorm, residual, null, logits);
    return logits;
  }
}

/** What a run samples with: the engine, and where its weights come from. */
import { Engine } from '../../engine/engine.ts';
import { type Model, releaseModel, type TrainableModel } from '../../model/weights.ts';
import type { TextFiles } from '../../text/text-files.ts';
import { allocatePolicyCopy, bringWeights } from '../rollout/policy-copy.ts';
import type { PolicyConfig } from './config.ts';

/** Prompt tokens that pass the model between two steps. */
const prefillTokens = 16_384;

export class Sampler {
  readonly engine: Engine;
  readonly #trained: TrainableModel;
  /** Null where the engine reads the trainer's own memory. */
  readonly #copy: Model | null;

  /** @param version of the weights that the trainer has now */
  static async open(
    trained: TrainableModel,
    text: TextFiles,
    { rolloutWeights, rolloutCache, schedule, maxLength }: PolicyConfig,
    version: number,
  ): Promise<Sampler> {
    const { device, config } = trained;
    const bits = rolloutWeights === '8-bit' ? 8 : 4;
    const copy = rolloutWeights === 'shared' ? null : allocatePolicyCopy(device, config, bits);
    // A step writes its drafts behind what there is.
    const longest = maxLength + config.mtpHeads;
    const engine = new Engine(copy ?? trained, {
      sequences: schedule.concurrency,
      cacheTokens: schedule.concurrency * longest,
      vocabSize: text.tokenizer.vocabSize,
      cacheType: rolloutCache,
      // Nobody waits for a first word. Hundreds of prompts begin at once, and would join one a step.
      prefillTokens,
      // Turns have conversations of their own, and share with nobody.
      prefixTokens: 0,
    });
    const sampler = new Sampler(engine, trained, copy);
    await engine.updateWeights(version, () => sampler.#bring());
    return sampler;
  }

  private constructor(engine: Engine, trained: TrainableModel, copy: Model | null) {
    this.engine = engine;
    this.#trained = trained;
    this.#copy = copy;
  }

  /**
   * Runs a step that changes the trainer's weights, after which they are of `version` for the engine too.
   * What shares memory waits for the whole step; a copy is used until there are new weights for it.
   */
  async during<Result>(version: number, step: () => Promise<Result>): Promise<Result> {
    if (this.#copy) {
      const result = await step();
      await this.engine.updateWeights(version, () => this.#bring());
      return result;
    }
    let result: { value: Result } | null = null;
    await this.engine.updateWeights(version, async () => {
      result = { value: await step() };
    });
    return result!.value;
  }

  async release(): Promise<void> {
    await this.engine.release();
    if (this.#copy) releaseModel(this.#copy);
  }

  async #bring(): Promise<void> {
    if (this.#copy) await bringWeights(this.#trained, this.#copy);
  }
}

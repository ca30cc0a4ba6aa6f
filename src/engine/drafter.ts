import type { Batch } from '../model/batch.ts';
import { mtpBlock } from '../model/mtp.ts';
import type { Model } from '../model/weights.ts';
import type { Random } from '../random.ts';
import { gatherRows, linear } from '../tensor/ops/index.ts';
import { readFloats, Scope } from '../tensor/scope.ts';
import { Tensor } from '../tensor/tensor.ts';
import { distribution, draw, type SamplingOptions } from './sampling.ts';
import type { SequenceCache } from './sequence-cache.ts';
import type { Draft } from './verification.ts';

/**
 * Drafts tokens with the MTP blocks. Block k's row for position t needs the trunk's state h_t and
 * token t+1+k; for the last k rows that token is still a draft. Those rows are computed again in every
 * round and committed to the block's cache only once their tokens are certain.
 *
 * A block is one sliding layer, and the keys of its rows do not depend on earlier rows. So nothing
 * older than the window is ever needed: the prompt costs the blocks no more than one window.
 */
export class Drafter {
  readonly #model: Model;
  readonly #cache: SequenceCache;
  /** The trunk's states of recent positions, position p in row p mod rows. */
  readonly #history: Tensor;

  constructor(model: Model, cache: SequenceCache, longestStep: number) {
    this.#model = model;
    this.#cache = cache;
    const { hiddenSize } = model.config;
    const rows = this.#window + model.mtp.length + longestStep;
    this.#history = new Tensor(
      [rows, hiddenSize],
      'f32',
      model.device.allocate(rows * hiddenSize * 4),
    );
    model.device.kernels.fill({ out: this.#history, value: 0 });
  }

  /** Keeps the trunk's states [rows, hidden] of positions from `position` on. */
  remember(scope: Scope, hidden: Tensor, position: number): void {
    const capacity = this.#history.rows;
    const places = Int32Array.from({ length: hidden.rows }, (_, row) =>
      row < hidden.rows - capacity ? -1 : (position + row) % capacity,
    );
    const indices = scope.from([hidden.rows], places);
    this.#model.device.kernels.writeRows({ source: hidden, indices, out: this.#history });
  }

  /**
   * Drafts the `count` tokens that follow `tokens`, of which all but the last have passed the trunk.
   */
  async draft(
    tokens: readonly number[],
    count: number,
    sampling: SamplingOptions,
    random: Random,
    vocabSize: number,
  ): Promise<Draft[]> {
    const drafts: Draft[] = [];
    // No block reads further back than the history reaches.
    const offset = Math.max(0, tokens.length - this.#history.rows);
    const known = tokens.slice(offset);
    for (let head = 0; head < count; head++) {
      const scope = new Scope(this.#model.device);
      try {
        const logits = this.#lastLogits(
          scope,
          head,
          tokens.length - 1,
          (at) => known[at - offset]!,
        );
        const row = await readFloats(this.#model.device, logits);
        const probabilities = distribution(row, sampling, vocabSize);
        const token = draw(probabilities, random);
        known.push(token);
        drafts.push({ token, distribution: probabilities });
      } finally {
        scope.close();
      }
    }
    return drafts;
  }

  release(): void {
    this.#model.device.release(this.#history.storage);
  }

  get #window(): number {
    return this.#model.config.slidingAttention.window!;
  }

  /** Logits of block `head` at the last of the positions 0 to end − 1. */
  #lastLogits(scope: Scope, head: number, end: number, token: (at: number) => number): Tensor {
    const model = this.#model;
    const slot = model.config.layers.length + head;
    this.#cache.skipTo(slot, end - this.#window);
    const begin = this.#cache.length(slot);
    const count = end - begin;
    const fill = (value: (row: number) => number) =>
      scope.from(
        [count],
        Int32Array.from({ length: count }, (_, row) => value(row)),
      );
    const batch: Batch = {
      tokens: fill((row) => token(begin + row + 1 + head)),
      positions: fill((row) => begin + row),
      rowStart: fill(() => 0),
    };
    const places = fill((row) => (begin + row) % this.#history.rows);
    const call = this.#cache.begin(scope, slot, slot + 1, count);
    const hidden = gatherRows(scope, this.#history, places);
    const out = mtpBlock(scope, model, head, batch, hidden, call);
    call.commit(Math.max(0, count - head));
    return linear(scope, out.slice(count - 1, count), model.head);
  }
}

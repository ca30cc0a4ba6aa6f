import { UserError } from '../errors.ts';

/**
 * The experts that the positions of a sequence were routed to, to be replayed in training (rollout
 * routing replay, R3: Ma et al. 2025). One byte an expert up to 256 of them, two beyond: the report's
 * model needs 376 bytes a token.
 */
export interface Routes {
  /** Layers of experts. */
  layers: number;
  /** Experts of each token in each layer. */
  perToken: number;
  /** [positions, layers, perToken]. The last token of a sequence has passed no layer. */
  experts: Uint8Array | Uint16Array;
}

export interface RoutesShape {
  layers: number;
  perToken: number;
  /** Experts of a layer. */
  count: number;
}

/** Collects routes while a sequence grows; each position is recorded exactly once. */
export class RoutesBuilder {
  readonly #shape: RoutesShape;
  #experts: Uint8Array | Uint16Array;
  #positions = 0;

  constructor(shape: RoutesShape) {
    this.#shape = shape;
    this.#experts = this.#empty(256);
  }

  /** Positions recorded so far; the next to be recorded. */
  get positions(): number {
    return this.#positions;
  }

  /** Adds the next positions, `experts` [n, layers, perToken] of the first at `begin`. */
  append(begin: number, experts: ArrayLike<number>): void {
    const width = this.#width;
    if (begin !== this.#positions || experts.length % width !== 0) {
      throw new UserError(
        `routes of ${experts.length / width} positions from ${begin} on, but those from ${this.#positions} on are next`,
      );
    }
    for (let i = 0; i < experts.length; i++) {
      const expert = experts[i]!;
      if (!(expert >= 0 && expert < this.#shape.count)) {
        throw new UserError(
          `expert ${expert} at position ${begin + Math.floor(i / width)}, of ${this.#shape.count}`,
        );
      }
    }
    const positions = begin + experts.length / width;
    while (positions * width > this.#experts.length) {
      const larger = this.#empty((2 * this.#experts.length) / width);
      larger.set(this.#experts);
      this.#experts = larger;
    }
    this.#experts.set(experts, begin * width);
    this.#positions = positions;
  }

  /** @throws UserError unless exactly `positions` were recorded */
  finish(positions: number): Routes {
    if (positions !== this.#positions) {
      throw new UserError(
        `routes of ${this.#positions} positions for a sequence of ${positions + 1} tokens`,
      );
    }
    return this.contents;
  }

  /** What was recorded so far. */
  get contents(): Routes {
    const { layers, perToken } = this.#shape;
    return { layers, perToken, experts: this.#experts.slice(0, this.#positions * this.#width) };
  }

  get #width(): number {
    return this.#shape.layers * this.#shape.perToken;
  }

  #empty(positions: number): Uint8Array | Uint16Array {
    const size = positions * this.#width;
    return this.#shape.count <= 256 ? new Uint8Array(size) : new Uint16Array(size);
  }
}

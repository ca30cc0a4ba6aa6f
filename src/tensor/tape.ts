import type { Scope } from './scope.ts';
import type { Tensor } from './tensor.ts';

/**
 * Reverse-mode differentiation. Ops called in a scope with a tape append a step that turns the
 * gradient of their output into gradients of their inputs; `backward` runs the steps in reverse.
 *
 * Gradients of parameters live outside the tape, in buffers that are added to, so that several calls
 * accumulate. Gradients of everything else are temporaries of the step.
 */
export class Tape {
  /** Whether nested work (`Scope.nested`) is run again for its gradient, instead of being kept. */
  readonly recomputes: boolean;
  /** Where the gradient of each trained parameter is added. */
  readonly #parameters: ReadonlyMap<Tensor, Tensor>;
  readonly #tracked = new Set<Tensor>();
  readonly #gradients = new Map<Tensor, { tensor: Tensor; owned: boolean }>();
  /** Gradients that several tensors refer to; they live until the scope closes. */
  readonly #shared = new Set<Tensor>();
  readonly #steps: { output: Tensor; backward: Backward }[] = [];
  /** Tensors from outside whose gradients are wanted; see `fork`. */
  readonly #inputs: readonly Tensor[];
  #gradientScale = 1;

  constructor(
    parameters: ReadonlyMap<Tensor, Tensor>,
    recomputes = false,
    inputs: readonly Tensor[] = [],
  ) {
    this.#parameters = parameters;
    this.recomputes = recomputes;
    this.#inputs = inputs;
    for (const input of inputs) this.#tracked.add(input);
  }

  /** A tape for a part of the work alone, whose `backward` gives the gradients of the part's inputs. */
  fork(inputs: readonly Tensor[]): Tape {
    const tracked = inputs.filter((input) => this.#tracked.has(input));
    return new Tape(this.#parameters, false, tracked);
  }

  /** Of the backward pass that is running. */
  get gradientScale(): number {
    return this.#gradientScale;
  }

  /** Whether a gradient with respect to this tensor is wanted. */
  tracks(tensor: Tensor): boolean {
    return this.#parameters.has(tensor) || this.#tracked.has(tensor);
  }

  /** Records how `output` was made, if any of `inputs` is tracked. */
  record(inputs: readonly (Tensor | null)[], output: Tensor, backward: Backward): void {
    if (inputs.some((input) => input !== null && this.tracks(input))) {
      this.recordWork(output, backward);
    }
  }

  /** The same for work that may have used any of the parameters. */
  recordWork(output: Tensor, backward: Backward): void {
    if (this.#parameters.size === 0) return;
    this.#tracked.add(output);
    this.#steps.push({ output, backward });
  }

  /**
   * Runs all steps from the last to the first, beginning with the given gradients of outputs, and
   * clears the tape. Each gradient is released once it has been passed on; those of a fork's inputs are
   * returned.
   *
   * `gradientScale`: a power of two that brings gradients of activations near 1. They are kept as they
   * are; a device that rounds operands to f16 multiplies by it before and divides after.
   */
  backward(
    scope: Scope,
    seeds: readonly { output: Tensor; gradient: Tensor }[],
    gradientScale = 1,
  ): InputGradient[] {
    this.#gradientScale = gradientScale;
    for (const { output, gradient } of seeds) this.contribute(scope, output, gradient, false);
    for (const { output, backward } of this.#steps.reverse()) {
      const gradient = this.#gradients.get(output);
      if (!gradient) continue;
      const owned = gradient.owned && !this.#shared.has(gradient.tensor);
      backward(gradient.tensor, owned);
      this.#gradients.delete(output);
      if (owned && !this.#holds(gradient.tensor)) scope.release(gradient.tensor);
    }
    const found = this.#inputs.flatMap((input) => {
      const entry = this.#gradients.get(input);
      if (!entry) return [];
      return [
        { input, gradient: entry.tensor, owned: entry.owned && !this.#shared.has(entry.tensor) },
      ];
    });
    this.#steps.length = 0;
    this.#gradients.clear();
    this.#shared.clear();
    this.#tracked.clear();
    return found;
  }

  /**
   * Adds a gradient that has been computed to that of `input`. `owned` says that nothing else refers
   * to it, so that it may be added to and released.
   */
  contribute(scope: Scope, input: Tensor, gradient: Tensor, owned = true): void {
    const { kernels } = scope.device;
    const parameter = this.#parameters.get(input);
    const present = parameter ?? this.#gradients.get(input)?.tensor;
    if (!owned) this.#shared.add(gradient);
    if (!present) {
      if (this.#tracked.has(input)) this.#gradients.set(input, { tensor: gradient, owned });
      return;
    }
    if (parameter || this.#gradients.get(input)!.owned) {
      kernels.add({ a: present, b: gradient, out: present });
    } else {
      const sum = scope.empty(input.shape);
      kernels.add({ a: present, b: gradient, out: sum });
      this.#gradients.set(input, { tensor: sum, owned: true });
    }
    if (owned) scope.release(gradient);
  }

  /**
   * For kernels that can add to their output: calls `write` with the place where the gradient of
   * `input` belongs and whether to add to it. Does nothing if `input` is not tracked.
   */
  into(scope: Scope, input: Tensor, write: (out: Tensor, accumulate: boolean) => void): void {
    if (!this.tracks(input)) return;
    const parameter = this.#parameters.get(input);
    const present = this.#gradients.get(input);
    const target = parameter ?? (present?.owned ? present.tensor : null);
    if (target) {
      write(target, true);
      return;
    }
    const fresh = scope.empty(input.shape);
    write(fresh, false);
    this.contribute(scope, input, fresh);
  }

  /**
   * For kernels that can add one tensor to another that they write: calls `write` with a new tensor for
   * the gradient of `input`, and with what there is of it already, or null.
   */
  extend(scope: Scope, input: Tensor, write: (out: Tensor, present: Tensor | null) => void): void {
    const present = this.#parameters.has(input) ? null : this.#gradients.get(input);
    const gradient = scope.empty(input.shape);
    write(gradient, present?.tensor ?? null);
    if (!present) {
      this.contribute(scope, input, gradient);
      return;
    }
    this.#gradients.set(input, { tensor: gradient, owned: true });
    if (present.owned && !this.#shared.has(present.tensor)) scope.release(present.tensor);
  }

  /** The gradient buffer of a trained parameter, to be added to; null if it is not trained. */
  parameterGradient(parameter: Tensor): Tensor | null {
    return this.#parameters.get(parameter) ?? null;
  }

  #holds(gradient: Tensor): boolean {
    return [...this.#gradients.values()].some(({ tensor }) => tensor === gradient);
  }
}

/** The gradient of a fork's input; `owned` as for `Tape.contribute`. */
export interface InputGradient {
  input: Tensor;
  gradient: Tensor;
  owned: boolean;
}

/**
 * Passes the gradient of an op's output on to its inputs, by `contribute`, `into` and `extend`. If it is
 * `owned`, nothing else refers to it, and it may be overwritten and passed on itself.
 */
export type Backward = (gradient: Tensor, owned: boolean) => void;

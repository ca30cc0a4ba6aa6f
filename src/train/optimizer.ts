/**
 * AdamW over a model's parameters (Loshchilov & Hutter 2019), after clipping the gradient by its
 * global norm. The report trains with β 0.9 and 0.95, decay 0.1 and clipping at 1.0; norms, sinks and
 * biases are not decayed.
 */
import { UserError } from '../errors.ts';
import { type ParameterSpec, parameterSpecs } from '../model/parameters.ts';
import type { TrainableModel } from '../model/weights.ts';
import { type Storage, sizeOf, Tensor } from '../tensor/tensor.ts';
import { GradientMeter, type GradientReport } from './gradient-report.ts';
import { type Gradients, zeroGradients } from './gradients.ts';

export interface AdamWOptions {
  /** Default 0.9. */
  beta1?: number;
  /** Default 0.95. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** Default 0.1. */
  weightDecay?: number;
  /** Decays vectors as well as matrices; false by default. */
  decayAll?: boolean;
  /** Largest norm of the whole gradient; default 1, `Infinity` clips nothing. */
  clipNorm?: number;
}

/** The running means of a parameter's gradient and of its square, in the parameter's shape. */
export interface Moments {
  spec: ParameterSpec;
  first: Tensor;
  second: Tensor;
}

export class AdamW {
  /** Steps taken, for the correction of the moments' bias. */
  stepCount = 0;
  /** One entry for each parameter that has a gradient, in the order of `parameterSpecs`. */
  readonly moments: readonly Moments[];
  readonly #model: TrainableModel;
  readonly #gradients: Gradients;
  readonly #options: Required<AdamWOptions>;
  readonly #meter: GradientMeter;
  readonly #storages: Storage[] = [];

  constructor(model: TrainableModel, gradients: Gradients, options: AdamWOptions) {
    this.#model = model;
    this.#gradients = gradients;
    this.#options = { ...defaults, ...options };
    this.#meter = new GradientMeter(model, gradients);
    this.moments = parameterSpecs(model.config)
      .filter(({ name }) => gradients.has(model.parameters.get(name)!))
      .map((spec) => ({ spec, first: this.#zeros(spec), second: this.#zeros(spec) }));
  }

  /**
   * Moves the parameters at a learning rate, and clears the gradients for the next step.
   *
   * @throws UserError if the gradient is not finite; nothing has changed then
   */
  async step(rate: number): Promise<GradientReport> {
    const { beta1, beta2, epsilon, weightDecay, decayAll, clipNorm } = this.#options;
    const report = await this.#meter.measure();
    if (!Number.isFinite(report.norm)) {
      throw new GradientNotFiniteError(
        `the gradient's norm is ${report.norm}: training diverged; ` +
          'lower the learning rate or lengthen its warm-up',
      );
    }
    this.stepCount++;
    for (const { spec, first, second } of this.moments) {
      const parameter = this.#model.parameters.get(spec.name)!;
      this.#model.device.kernels.adamw({
        parameter,
        gradient: this.#gradients.get(parameter)!,
        firstMoment: first,
        secondMoment: second,
        rate,
        beta1,
        beta2,
        epsilon,
        decay: spec.decay || decayAll ? weightDecay : 0,
        step: this.stepCount,
        gradientScale: report.norm > clipNorm ? clipNorm / report.norm : 1,
      });
    }
    zeroGradients(this.#model, this.#gradients);
    return report;
  }

  /** The gradient as it is now, without a step. */
  measure(): Promise<GradientReport> {
    return this.#meter.measure();
  }

  release(): void {
    this.#meter.release();
    for (const storage of this.#storages.splice(0)) this.#model.device.release(storage);
  }

  #zeros({ shape }: ParameterSpec): Tensor {
    const { device } = this.#model;
    const storage = device.allocate(sizeOf(shape) * 4);
    this.#storages.push(storage);
    const tensor = new Tensor(shape, 'f32', storage);
    device.kernels.fill({ out: tensor, value: 0 });
    return tensor;
  }
}

/** The gradient is infinite or not a number; nothing was changed. */
export class GradientNotFiniteError extends UserError {}

const defaults: Required<AdamWOptions> = {
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  decayAll: false,
  clipNorm: 1,
};

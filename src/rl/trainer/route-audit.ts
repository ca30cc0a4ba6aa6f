/**
 * Counts that recorded routes are consumed: in each layer once in the forward pass, once more if the layer
 * is computed again for its gradient, and once in the backward pass, by the same tensor; and that no router
 * chooses for itself meanwhile. Implementations that keep a cursor into recorded routes lose their place
 * when layers are recomputed, and then train silently with another token's experts.
 *
 * It watches the kernels that turn experts into weights, so it sees what was computed and not what was
 * meant.
 */
import type { Device } from '../../tensor/device.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { withKernels } from '../../tensor/with-kernels.ts';

export class RouteAudit {
  /** The device with kernels that are watched; for the model that is trained. */
  readonly device: Device;
  readonly #uses = new Map<Tensor, { forward: number; backward: number }>();
  #choices = 0;

  constructor(device: Device) {
    const { kernels } = device;
    this.device = withKernels(device, {
      ...kernels,
      selectExperts: (a) => {
        this.#choices++;
        kernels.selectExperts(a);
      },
      expertWeights: (a) => {
        this.#use(a.experts).forward++;
        kernels.expertWeights(a);
      },
      expertWeightsBackward: (a) => {
        this.#use(a.experts).backward++;
        kernels.expertWeightsBackward(a);
      },
    });
  }

  /**
   * Ends a micro-batch and begins the next.
   *
   * @throws Error unless each was consumed as often as it has to be
   */
  finish({
    layers,
    rows,
    recomputes,
  }: {
    layers: number;
    rows: number;
    recomputes: boolean;
  }): void {
    const uses = [...this.#uses];
    const choices = this.#choices;
    this.reset();
    const forward = recomputes ? 2 : 1;
    const isRight = uses.every(
      ([experts, use]) => experts.rows === rows && use.forward === forward && use.backward === 1,
    );
    if (!isRight || uses.length !== layers || choices > 0) {
      const found = uses.map(([experts, { forward, backward }]) => [
        experts.rows,
        forward,
        backward,
      ]);
      throw new Error(
        `routes of ${layers} layers and ${rows} rows were to be used ${forward} times forward and ` +
          `once backward; found (rows, forward, backward) ${JSON.stringify(found)} and ${choices} choices`,
      );
    }
  }

  /** The same where no routes were to be replayed. */
  reset(): void {
    this.#uses.clear();
    this.#choices = 0;
  }

  #use(experts: Tensor): { forward: number; backward: number } {
    const use = this.#uses.get(experts) ?? { forward: 0, backward: 0 };
    this.#uses.set(experts, use);
    return use;
  }
}

/** Second moments of the inputs that a model's matrices meet, Σ x·xᵀ, which `quantizeCalibrated` wants. */
import type { Device } from '../tensor/device.ts';
import type { Matrix } from '../tensor/quantized-matrix.ts';
import { readFloats, Scope } from '../tensor/scope.ts';
import type { Storage, Tensor } from '../tensor/tensor.ts';
import { withKernels } from '../tensor/with-kernels.ts';

export class InputMoments {
  /** The device with kernels that are watched; for the model that is calibrated. */
  readonly device: Device;
  readonly #scope: Scope;
  /** By the memory of a matrix: [K,K], or [E,K,K] of experts. */
  readonly #moments = new Map<Storage, Map<number, Tensor>>();

  constructor(device: Device) {
    const { kernels } = device;
    this.#scope = new Scope(device);
    this.device = withKernels(device, {
      ...kernels,
      matmul: (a) => {
        kernels.matmul(a);
        if (a.transposeA || !a.transposeB) return;
        const { a: x, b } = a;
        const out = this.#momentsOf([b], [x.columns, x.columns]);
        const product = { a: x, b: x, out, transposeA: true, transposeB: false };
        kernels.matmul({ ...product, accumulate: true, exact: true });
      },
      groupedMatmul: (a) => {
        kernels.groupedMatmul(a);
        const { a: x, b, offsets } = a;
        if (!a.transposeB) return;
        const out = this.#momentsOf([b], [b.shape[0]!, x.columns, x.columns]);
        kernels.groupedMatmulTransposed({ a: x, b: x, offsets, out, accumulate: true });
      },
      groupedSwiglu: (a) => {
        kernels.groupedSwiglu(a);
        const { x, tokens, offsets, gateWeight, upWeight } = a;
        const shape = [gateWeight.shape[0]!, x.columns, x.columns];
        const out = this.#momentsOf([gateWeight, upWeight], shape);
        const scope = new Scope(device);
        const rows = scope.empty([tokens.size, x.columns]);
        kernels.gatherRows({ table: x, indices: tokens, out: rows });
        kernels.groupedMatmulTransposed({ a: rows, b: rows, offsets, out, accumulate: true });
        scope.close();
      },
    });
  }

  /** Of a matrix: [K,K], or [E,K,K] of experts; null if nothing was multiplied by it. */
  async of(matrix: Matrix): Promise<Float32Array | null> {
    const moments = this.#moments.get(matrix.storage)?.get(matrix.byteOffset);
    return moments ? await readFloats(this.device, moments) : null;
  }

  release(): void {
    this.#scope.close();
    this.#moments.clear();
  }

  /** Of matrices that always have the same inputs. */
  #momentsOf(matrices: readonly Matrix[], shape: readonly number[]): Tensor {
    const { storage, byteOffset } = matrices[0]!;
    const known = this.#moments.get(storage)?.get(byteOffset);
    if (known) return known;
    const moments = this.#scope.zeros(shape);
    for (const matrix of matrices) {
      const ofStorage = this.#moments.get(matrix.storage) ?? new Map<number, Tensor>();
      this.#moments.set(matrix.storage, ofStorage.set(matrix.byteOffset, moments));
    }
    return moments;
  }
}

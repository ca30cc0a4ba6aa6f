import type { Scope } from '../../src/tensor/scope.ts';
import { sizeOf, type Tensor } from '../../src/tensor/tensor.ts';
import type { TestRandom } from './random.ts';

/** An array with a shape, on the host. */
export interface HostTensor {
  shape: number[];
  data: Float32Array | Int32Array;
}

/** One call of an op on given inputs. Devices must agree on its outputs and its gradients. */
export interface OpCase {
  name: string;
  inputs: Record<string, HostTensor>;
  /** Inputs with respect to which the op is differentiated; none for ops without gradient. */
  differentiable: string[];
  run(scope: Scope, inputs: Record<string, Tensor>): Record<string, Tensor>;
  /** The outputs that gradients flow from; the first output if not given. */
  outputs?: string[];
  /** Allowed error, relative to the largest magnitude of the reference; 2e-6 if not given. */
  tolerance?: number;
  /** The op has jumps (selection) near its inputs, so finite differences say nothing. */
  discontinuous?: boolean;
}

export function randomTensor(random: TestRandom, shape: number[], deviation = 1): HostTensor {
  return { shape, data: random.floats(sizeOf(shape), deviation) };
}

export function intTensor(shape: number[], data: ArrayLike<number>): HostTensor {
  return { shape, data: Int32Array.from(data) };
}

/** A tensor of the test's own, since inputs are not to be written. */
export function copyOf(scope: Scope, source: Tensor): Tensor {
  const out = scope.empty(source.shape, source.dtype);
  scope.device.kernels.copy({ source, out });
  return out;
}

/** rowStart of documents of the given lengths, packed one after another. */
export function rowStarts(lengths: number[]): Int32Array {
  const starts: number[] = [];
  for (const length of lengths) {
    const begin = starts.length;
    for (let i = 0; i < length; i++) starts.push(begin);
  }
  return Int32Array.from(starts);
}

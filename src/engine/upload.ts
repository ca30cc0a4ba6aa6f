import type { Scope } from '../tensor/scope.ts';
import { sizeClass } from '../tensor/size-class.ts';
import { Tensor } from '../tensor/tensor.ts';

/** Parts begin where WebGPU can bind them: at multiples of 256 bytes. */
const alignment = 64;

type HostArray = Int32Array | Float32Array;

/** Arrays, in objects and lists of any depth. */
export type HostArrays =
  | HostArray
  | { readonly [name: string]: HostArrays }
  | readonly HostArrays[];

/** The same objects and lists with a tensor for each array. */
export type Uploaded<Arrays> = Arrays extends HostArray
  ? Tensor
  : { [Name in keyof Arrays]: Uploaded<Arrays[Name]> };

/**
 * Copies arrays to the device with one write, where each would cost a write of its own. Each becomes a
 * tensor of one dimension; none may be written to, for WebGPU binds a buffer to be read or written.
 */
export function upload<Arrays extends HostArrays>(scope: Scope, arrays: Arrays): Uploaded<Arrays> {
  const size = sizeOf(arrays);
  const { integers, floats } = stagingOf(size);
  const { storage } = scope.empty([size], 'i32');
  let begin = 0;
  const tensors = mapArrays(arrays, (array) => {
    const isInteger = array instanceof Int32Array;
    (isInteger ? integers : floats).set(array, begin);
    const tensor = new Tensor([array.length], isInteger ? 'i32' : 'f32', storage, 4 * begin);
    begin += alignedLength(array.length);
    return tensor;
  });
  scope.device.write(storage, 0, integers.subarray(0, size));
  return tensors as unknown as Uploaded<Arrays>;
}

/**
 * Where parts are put together: a device copies what it is given at once, so one place is enough, and a
 * step of decoding makes none anew.
 */
let staging = stagingFor(1024);

function stagingOf(size: number) {
  if (size > staging.integers.length) staging = stagingFor(2 * size);
  return staging;
}

function stagingFor(size: number) {
  const memory = new ArrayBuffer(4 * size);
  return { integers: new Int32Array(memory), floats: new Float32Array(memory) };
}

/**
 * The elements that an array takes when what follows it is aligned too. By classes, so that parts of steps
 * that differ by some rows begin at the same places, and a device knows what to bind from the last time.
 */
export function alignedLength(length: number): number {
  return length === 0 ? 0 : sizeClass(length, alignment);
}

function isArray(arrays: HostArrays): arrays is HostArray {
  return ArrayBuffer.isView(arrays);
}

function isList(arrays: HostArrays): arrays is readonly HostArrays[] {
  return Array.isArray(arrays);
}

/** Elements of all arrays, aligned. */
function sizeOf(arrays: HostArrays): number {
  if (isArray(arrays)) return alignedLength(arrays.length);
  let size = 0;
  if (isList(arrays)) for (const inner of arrays) size += sizeOf(inner);
  else for (const name in arrays) size += sizeOf(arrays[name]!);
  return size;
}

type Mapped = Tensor | { [name: string]: Mapped } | Mapped[];

function mapArrays(arrays: HostArrays, tensorOf: (array: HostArray) => Tensor): Mapped {
  if (isArray(arrays)) return tensorOf(arrays);
  if (isList(arrays)) return arrays.map((inner) => mapArrays(inner, tensorOf));
  const mapped: { [name: string]: Mapped } = {};
  for (const name in arrays) mapped[name] = mapArrays(arrays[name]!, tensorOf);
  return mapped;
}

import type { Scope } from '../tensor/scope.ts';
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
  let size = 0;
  const parts: { array: HostArray; begin: number }[] = [];
  forEachArray(arrays, (array) => {
    parts.push({ array, begin: size });
    size += alignedLength(array.length);
  });
  const { integers, floats } = stagingOf(size);
  for (const { array, begin } of parts) {
    (array instanceof Int32Array ? integers : floats).set(array, begin);
  }
  const { storage } = scope.from([size], integers.subarray(0, size));
  const tensors = new Map(
    parts.map(({ array, begin }) => {
      const dtype = array instanceof Int32Array ? 'i32' : 'f32';
      return [array, new Tensor([array.length], dtype, storage, 4 * begin)];
    }),
  );
  return mapArrays(arrays, (array) => tensors.get(array)!) as unknown as Uploaded<Arrays>;
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

/** The elements that an array takes when what follows it is aligned too. */
export function alignedLength(length: number): number {
  return Math.ceil(length / alignment) * alignment;
}

function isArray(arrays: HostArrays): arrays is HostArray {
  return ArrayBuffer.isView(arrays);
}

function forEachArray(arrays: HostArrays, visit: (array: HostArray) => void): void {
  if (isArray(arrays)) visit(arrays);
  else for (const inner of Object.values(arrays)) forEachArray(inner, visit);
}

type Mapped = Tensor | { [name: string]: Mapped } | Mapped[];

function mapArrays(arrays: HostArrays, tensorOf: (array: HostArray) => Tensor): Mapped {
  if (isArray(arrays)) return tensorOf(arrays);
  if (Array.isArray(arrays)) return arrays.map((inner) => mapArrays(inner, tensorOf));
  return Object.fromEntries(
    Object.entries(arrays).map(([name, inner]) => [name, mapArrays(inner, tensorOf)]),
  );
}

import { expect, test } from 'vitest';
import { TestRandom } from '../../../../test/conformance/random.ts';
import type { Device } from '../../../tensor/device.ts';
import { readFloats, Scope } from '../../../tensor/scope.ts';
import { bytesPerElement, type DType, sizeOf, Tensor } from '../../../tensor/tensor.ts';
import { createReferenceDevice } from '../../reference/device.ts';
import { createWasmDevice } from '../device.ts';

const shape = { heads: 8, keyValueHeads: 2, keyDim: 24, valueDim: 16 };
const pageSize = 64;
const width = 40;
const lengths = [2301, 70];

/** Where position p of sequence s lies: pages take turns, from the last to the first. */
const pageOf = (s: number, page: number) => 2 * (width - 1 - page) + s;
const rowOf = (s: number, p: number) =>
  pageOf(s, Math.floor(p / pageSize)) * pageSize + (p % pageSize);

/** Caches of both sequences in a format, filled through the device's own kernel where it has one. */
function fillCache(scope: Scope, dtype: DType) {
  const random = new TestRandom(11);
  const { keyValueHeads, keyDim, valueDim } = shape;
  const rows = 2 * width * pageSize;
  const empty = (columns: number) => {
    const own = [rows, keyValueHeads * (dtype === 'i8' ? columns + 4 : columns)];
    const { storage } = scope.zeros([(sizeOf(own) * bytesPerElement[dtype]) / 4]);
    return new Tensor(own, dtype, storage);
  };
  const [keys, values] = [empty(keyDim), empty(valueDim)];
  const places = lengths.flatMap((length, s) => Array.from({ length }, (_, p) => rowOf(s, p)));
  const source = (columns: number) => {
    const size = [places.length, keyValueHeads * columns];
    return scope.from(size, random.floats(sizeOf(size)));
  };
  const [key, value] = [source(keyDim), source(valueDim)];
  const indices = scope.from([places.length], Int32Array.from(places));
  scope.device.kernels.writeCachedRows({ key, value, indices, keyValueHeads, keys, values });
  return { keys, values };
}

/** The last rows of both sequences, as a step and as the rows of a prompt with a past. */
async function attend(device: Device, dtype: DType, window: number | null) {
  const scope = new Scope(device);
  const { keys, values } = fillCache(scope, dtype);
  const random = new TestRandom(12);
  const { heads, keyValueHeads, keyDim, valueDim } = shape;
  const positions = [[2297, 2298, 2299, 2300], [69]];
  const rows = positions.flat().length;
  const table = [0, 1].flatMap((s) => Array.from({ length: width }, (_, page) => pageOf(s, page)));
  const sequence = positions.flatMap((own, s) => own.map(() => s));
  const layout = Int32Array.from([...positions.flat(), ...sequence, ...table]);
  const query = scope.from([rows, heads * keyDim], random.floats(rows * heads * keyDim));
  const sinks = scope.from([heads], random.floats(heads));
  const form = { ...shape, scale: keyDim ** -0.5, valueScale: 0.707, window, query, sinks };
  const stepped = scope.empty([rows, heads * valueDim]);
  const cache = { keys, values, pageSize, width, layout: scope.from([layout.length], layout) };
  device.kernels.cachedAttention({ ...form, cache, out: stepped });

  const own = (columns: number) =>
    scope.from([rows, keyValueHeads * columns], random.floats(rows * keyValueHeads * columns));
  const out = scope.empty([rows, heads * valueDim]);
  const ints = (...data: number[]) => scope.from([data.length], Int32Array.from(data));
  device.kernels.attention({
    ...form,
    key: own(keyDim),
    value: own(valueDim),
    rowStart: ints(0, 0, 0, 0, 4),
    past: {
      keys,
      values,
      pageSize,
      table: ints(...table).reshape([2, width]),
      lengths: ints(...lengths),
      sequence: ints(...sequence),
    },
    out,
    logSumExp: scope.empty([rows, heads]),
  });
  const results = [await readFloats(device, stepped), await readFloats(device, out)];
  scope.close();
  return results;
}

test.each([
  ['f32', null, true, 4e-6],
  ['f16', null, true, 1e-3],
  ['i8', null, true, 1e-2],
  ['i8', null, false, 1e-2],
  ['f16', 50, true, 2e-3],
  ['i8', 50, true, 2e-2],
] as const)('a cache of %s, window %s, relaxed %s', async (dtype, window, relaxed, tolerance) => {
  const device = await createWasmDevice({ threads: 2, relaxed });
  const expected = await attend(createReferenceDevice(), 'f32', window);
  const actual = await attend(device, dtype, window);
  expected.forEach((values, i) => {
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    values.forEach((value, j) => {
      expect(Math.abs(actual[i]![j]! - value)).toBeLessThan(tolerance * Math.max(largest, 1));
    });
  });
  expect(device.allocatedBytes).toBe(0);
  await device.destroy();
  // One thread reads all heads of a long span together, which changes no bit.
  const single = await createWasmDevice({ threads: 1, relaxed });
  expect(await attend(single, dtype, window)).toEqual(actual);
  await single.destroy();
});

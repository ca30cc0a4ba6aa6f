import { expect, test } from 'vitest';
import { TestRandom } from '../../../../test/conformance/random.ts';
import type { Device } from '../../../tensor/device.ts';
import { readFloats, Scope } from '../../../tensor/scope.ts';
import { createReferenceDevice } from '../../reference/device.ts';
import { createWasmDevice } from '../device.ts';

const shape = { heads: 4, keyValueHeads: 2, keyDim: 12, valueDim: 8 };
const pageSize = 64;

/** Rows of two sequences in pages, the first so long that its keys are cut into parts. */
async function attend(device: Device, positions: number[][]): Promise<Float32Array> {
  const scope = new Scope(device);
  const random = new TestRandom(5);
  const { heads, keyValueHeads, keyDim, valueDim } = shape;
  const width = 60;
  const rows = positions.flat().length;
  const cached = 2 * width * pageSize;
  const layout = [
    ...positions.flat(),
    ...positions.flatMap((own, s) => own.map(() => s)),
    // Pages of the two sequences take turns, from the last to the first.
    ...[0, 1].flatMap((s) => Array.from({ length: width }, (_, i) => 2 * (width - 1 - i) + s)),
  ];
  const from = (shape: number[]) =>
    scope.from(
      shape,
      random.floats(
        shape.reduce((a, b) => a * b),
        1,
      ),
    );
  const out = scope.empty([rows, heads * valueDim]);
  device.kernels.cachedAttention({
    ...shape,
    scale: keyDim ** -0.5,
    valueScale: 0.707,
    window: null,
    query: from([rows, heads * keyDim]),
    sinks: from([heads]),
    cache: {
      keys: from([cached, keyValueHeads * keyDim]),
      values: from([cached, keyValueHeads * valueDim]),
      pageSize,
      width,
      layout: scope.from([layout.length], Int32Array.from(layout)),
    },
    out,
  });
  const result = await readFloats(device, out);
  scope.close();
  return result;
}

test('keys in many parts and pages give what the reference gives', async () => {
  const device = await createWasmDevice({ threads: 2 });
  const positions = [
    [3700, 3701, 3702],
    [40, 41],
  ];
  const expected = await attend(createReferenceDevice(), positions);
  const actual = await attend(device, positions);
  expected.forEach((value, i) => {
    expect(Math.abs(actual[i]! - value)).toBeLessThan(2e-6);
  });
  expect(device.allocatedBytes).toBe(0);
  await device.destroy();
});

// One thread has so many spans that it reads all heads of each together; two read them apart.
test('heads give the same bits together and apart', async () => {
  const positions = [
    [3700, 3701, 3702],
    [40, 41],
  ];
  const results = [];
  for (const threads of [1, 2]) {
    const device = await createWasmDevice({ threads });
    results.push(await attend(device, positions));
    await device.destroy();
  }
  expect(results[0]).toEqual(results[1]);
});

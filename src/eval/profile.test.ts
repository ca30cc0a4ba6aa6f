import { afterAll, describe, expect, test } from 'vitest';
import { createReferenceDevice } from '../device/reference/device.ts';
import { Scope } from '../tensor/scope.ts';
import { KernelProfile } from './profile.ts';

/** A device of which everything takes at least a second an operation, or two a byte. */
const slow = { f32: 1, rounded: 1, bytes: 0.5 };

describe('profile', () => {
  const plain = createReferenceDevice();
  const profile = new KernelProfile(plain, slow);
  const { device } = profile;
  const { kernels } = device;
  const scope = new Scope(device);
  afterAll(() => scope.close());
  const ones = (...shape: number[]) =>
    scope.from(shape, new Float32Array(shape.reduce((a, b) => a * b)).fill(1));

  test('counts what is measured and nothing else, by kernel and kind', async () => {
    const [a, b, out] = [ones(2, 3), ones(5, 3), ones(2, 5)];
    const product = { a, b, out, transposeA: false, transposeB: true, accumulate: false };
    kernels.matmul(product);
    const times = await profile.measure(async () => {
      kernels.matmul(product);
      kernels.matmul({ ...product, accumulate: true });
      kernels.matmul({ ...product, exact: true });
    });
    kernels.matmul(product);
    const byName = Object.fromEntries(times.map((time) => [time.kernel, time]));
    expect(Object.keys(byName).sort()).toEqual(['matmul A·Bᵀ', 'matmul A·Bᵀ, exact']);
    const { calls, seconds, work } = byName['matmul A·Bᵀ']!;
    expect(calls).toBe(2);
    // Two operations for each of 2·5·3 multiply-adds; 6 + 15 + 10 elements, and 10 to add to.
    expect(work).toMatchObject({ operations: 120, bytes: 4 * (31 + 41), bound: 'memory' });
    expect(work!.rooflineShare).toBeCloseTo((4 * (31 + 41)) / 0.5 / seconds, 0);
  });

  const attention = (rowStart: ReturnType<Scope['from']>, lengths: number, window: number | null) =>
    kernels.attention({
      ...{ heads: 2, keyValueHeads: 1, keyDim: 4, valueDim: 2, scale: 1, valueScale: 1, window },
      ...{ query: ones(4, 8), key: ones(4, 4), value: ones(4, 2), sinks: null, rowStart },
      ...{ out: ones(4, 4), logSumExp: ones(4, 2) },
      past: {
        ...{ keys: ones(8, 4), values: ones(8, 2), pageSize: 8 },
        table: scope.from([2, 1], Int32Array.of(0, 0)),
        lengths: scope.from([2], Int32Array.of(lengths, 0)),
        sequence: scope.from([4], Int32Array.of(0, 0, 1, 1)),
      },
    });

  test.each([
    // Rows see 5 + 1, 5 + 2, 1 and 2 keys, or at most 3.
    { window: null, pairs: 16, past: 5 },
    { window: 3, pairs: 9, past: 2 },
  ])('counts the keys that attention sees, window $window', async ({ window, pairs, past }) => {
    const [time] = await profile.measure(async () =>
      attention(scope.from([4], Int32Array.of(0, 0, 2, 2)), 5, window),
    );
    expect(time!.kernel).toBe('attention');
    expect(time!.work).toMatchObject({
      operations: 2 * (4 + 2) * 2 * pairs,
      bytes: 4 * (32 + 16 + 8 + 16 + 8 + past * 6),
    });
  });

  test('says so where only the device knows the work', async () => {
    const rowStart = scope.empty([4], 'i32');
    kernels.copy({ source: scope.from([4], Int32Array.of(0, 0, 2, 2)), out: rowStart });
    const [time] = await profile.measure(async () => attention(rowStart, 5, null));
    expect(time).toMatchObject({ kernel: 'attention', calls: 1, work: null });
  });
});

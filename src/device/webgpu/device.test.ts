import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestRandom } from '../../../test/conformance/random.ts';
import { adapterToTest } from '../../../test/support/adapter.ts';
import type { Device } from '../../tensor/device.ts';
import { readFloats, readInts, Scope } from '../../tensor/scope.ts';
import { OutOfMemoryError, Tensor } from '../../tensor/tensor.ts';
import { createReferenceDevice } from '../reference/device.ts';
import { createWebgpuDevice, type WebgpuDevice } from './device.ts';

const found = await adapterToTest();
const here = describe.skipIf(typeof found === 'string');

/**
 * What the conformance suite's small cases do not reach: the variants for large sizes, tensors that lie
 * where WebGPU cannot bind them, and the ways parameters travel.
 */
here.each([{ immediates: true }, { immediates: false }])('webgpu, %o', ({ immediates }) => {
  const reference = createReferenceDevice();
  let device: WebgpuDevice;
  const random = new TestRandom(5);
  beforeAll(async () => {
    device = await createWebgpuDevice(immediates ? {} : { immediates });
  });
  afterAll(() => device.destroy());

  /** Runs the same work on both devices and compares what it returns. */
  async function compare(
    work: (scope: Scope) => Record<string, Tensor>,
    tolerance = 2e-6,
  ): Promise<void> {
    const results = [];
    for (const on of [device, reference] as Device[]) {
      const scope = new Scope(on);
      const outputs: Record<string, ArrayLike<number>> = {};
      for (const [name, tensor] of Object.entries(work(scope))) {
        outputs[name] = await (tensor.dtype === 'i32' ? readInts : readFloats)(on, tensor);
      }
      scope.close();
      results.push(outputs);
    }
    const [actual, expected] = results as [(typeof results)[0], (typeof results)[0]];
    for (const name of Object.keys(expected)) {
      const [a, b] = [Float64Array.from(actual[name]!), Float64Array.from(expected[name]!)];
      const size = b.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
      const error = a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
      expect(error / size, name).toBeLessThanOrEqual(tolerance);
    }
    expect(device.allocatedBytes).toBe(0);
  }

  const floats = (...shape: number[]) => ({
    shape,
    data: random.floats(shape.reduce((a, b) => a * b)),
  });

  test.each([
    { name: 'tiles of 128', rows: 2000, columns: 2050, inner: 6 },
    { name: 'split sums', rows: 40, columns: 65, inner: 2100 },
  ])('matmul: $name', async ({ rows, columns, inner }) => {
    const [a, b, c] = [floats(rows, inner), floats(columns, inner), floats(rows, columns)];
    await compare((scope) => {
      const out = scope.from(c.shape, c.data);
      scope.device.kernels.matmul({
        ...{ a: scope.from(a.shape, a.data), b: scope.from(b.shape, b.data), out },
        ...{ transposeA: false, transposeB: true, accumulate: true },
      });
      return { out };
    }, 1e-5);
  });

  test('groupedMatmul: tiles of 128', async () => {
    const [a, b] = [floats(700, 8), floats(2, 132, 8)];
    await compare((scope) => {
      const out = scope.empty([700, 132]);
      scope.device.kernels.groupedMatmul({
        ...{ a: scope.from(a.shape, a.data), b: scope.from(b.shape, b.data), out },
        offsets: scope.from([3], Int32Array.of(0, 300, 700)),
        ...{ transposeB: true, accumulate: false },
      });
      return { out };
    });
  });

  test.each([7, 300])('grouping and scattering thousands of rows to %i places', async (places) => {
    const keys = random.ints(3000, places);
    const source = floats(3000, 5);
    const negative = keys.map((key, i) => (i % 11 === 0 ? -1 : key));
    await compare((scope) => {
      const { kernels } = scope.device;
      const experts = scope.from([1500, 2], keys);
      const offsets = scope.empty([places + 1], 'i32');
      const [tokens, rows] = [scope.empty([3000], 'i32'), scope.empty([1500, 2], 'i32')];
      kernels.groupByExpert({ experts, offsets, tokens, rows });
      const out = scope.zeros([places, 5]);
      const indices = scope.from([3000], negative);
      kernels.scatterAddRows({ source: scope.from(source.shape, source.data), indices, out });
      return { offsets, tokens, rows, out };
    }, 1e-5);
  });

  test.each([null, 700])('decoding on a long past, window %s', async (window) => {
    const [heads, keyValueHeads, keyDim, valueDim] = [4, 2, 12, 136];
    const held = 1500;
    const [query, key, value] = [floats(2, heads * keyDim), floats(2, 24), floats(2, 272)];
    const [keys, values, sinks] = [floats(2048, 24), floats(2048, 272), floats(heads)];
    await compare((scope) => {
      const take = ({ shape, data }: typeof query) => scope.from(shape, data);
      const out = scope.empty([2, heads * valueDim]);
      const logSumExp = scope.empty([2, heads]);
      scope.device.kernels.attention({
        ...{ query: take(query), key: take(key), value: take(value), sinks: take(sinks) },
        ...{ heads, keyValueHeads, keyDim, valueDim, window, scale: 0.3, valueScale: 0.7 },
        rowStart: scope.from([2], Int32Array.of(0, 0)),
        past: {
          ...{ keys: take(keys), values: take(values), pageSize: 512 },
          table: scope.from([1, 4], Int32Array.of(2, 0, 3, 1)),
          lengths: scope.from([1], Int32Array.of(held)),
          sequence: scope.from([2], Int32Array.of(0, 0)),
        },
        ...{ out, logSumExp },
      });
      return { out, logSumExp };
    }, 4e-6);
  });

  test('tensors that no binding can begin at, and several in one storage', async () => {
    const data = floats(10, 3);
    await compare((scope) => {
      const { kernels } = scope.device;
      const all = scope.from(data.shape, data.data);
      // Input, input and output are neighbours.
      kernels.add({ a: all.slice(0, 3), b: all.slice(3, 6), out: all.slice(6, 9) });
      kernels.add({ a: all.slice(1, 2), b: all.slice(2, 3), out: all.slice(1, 2) });
      kernels.copy({ source: all.slice(2, 4), out: all.slice(4, 6) });
      kernels.fill({ out: all.slice(9, 10), value: 5 });
      kernels.splitColumns({
        source: scope.from([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)),
        a: all.slice(0, 1).reshape([3]).slice(0, 2).reshape([2, 1]),
        b: scope.empty([2, 2]),
      });
      return { all };
    });
  });

  test('a write waits for what was called before it, and is seen by what comes after', async () => {
    await compare((scope) => {
      const { kernels, device: on } = { kernels: scope.device.kernels, device: scope.device };
      const x = scope.from([3], Float32Array.of(1, 2, 3));
      const sum = scope.zeros([3]);
      for (let i = 0; i < 300; i++) {
        kernels.add({ a: sum, b: x, out: sum });
        on.write(x.storage, 0, Float32Array.of(i, 2 * i, 3 * i));
      }
      return { x, sum };
    });
  });

  test('released memory is given out again while its last use is still queued', async () => {
    const scope = new Scope(device);
    const sum = scope.zeros([1000]);
    for (let i = 0; i < 50; i++) {
      const x = scope.empty([1000]);
      device.kernels.fill({ out: x, value: i });
      device.kernels.add({ a: sum, b: x, out: sum });
      scope.release(x);
    }
    expect((await readFloats(device, sum))[999]).toBe(1225);
    scope.close();
  });

  test('more memory than there can be is a clear error', () => {
    expect(() => device.allocate(2 ** 50)).toThrow(OutOfMemoryError);
    expect(() => device.allocate(2 ** 50)).toThrow(
      /^a tensor of .* does not fit this GPU, whose largest is/,
    );
  });
});

here('webgpu profile', () => {
  test('counts calls and their time', async () => {
    const device = await createWebgpuDevice({ profile: true });
    const storage = device.allocate(4000);
    const x = new Tensor([1000], 'f32', storage);
    device.kernels.fill({ out: x, value: 1 });
    for (let i = 0; i < 200; i++) device.kernels.add({ a: x, b: x, out: x });
    await readFloats(device, x);
    const times = await device.takeTimes();
    expect(times.map(({ kernel, calls }) => [kernel, calls]).sort()).toEqual(
      [
        ['fill', 1],
        ['add', 200],
        ['copy', 200],
      ].sort(),
    );
    expect(times.every(({ seconds }) => seconds >= 0)).toBe(true);
    expect(await device.takeTimes()).toEqual([]);
    await device.destroy();
  });

  test('keeps the time of works apart, and none while it is off', async () => {
    const device = await createWebgpuDevice({ profile: true });
    const x = new Tensor([1000], 'f32', device.allocate(4000));
    device.timedWork = 'first';
    device.kernels.fill({ out: x, value: 1 });
    device.profiling = false;
    device.kernels.fill({ out: x, value: 2 });
    device.profiling = true;
    device.timedWork = 'second';
    device.kernels.fill({ out: x, value: 3 });
    const times = await device.takeTimes();
    expect(times.map(({ work, kernel, calls }) => [work, kernel, calls]).sort()).toEqual([
      ['first', 'fill', 1],
      ['second', 'fill', 1],
    ]);
    expect((await readFloats(device, x))[999]).toBe(3);
    await device.destroy();
  });
});

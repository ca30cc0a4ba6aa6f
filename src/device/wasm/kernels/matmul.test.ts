import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../../tensor/device.ts';
import { readFloats, Scope } from '../../../tensor/scope.ts';
import { createWasmDevice } from '../device.ts';

let seed = 1;
/** Small multiples of 1/8: products and their sums are exact, so results are compared for equality. */
function eighths(count: number): Float32Array {
  return Float32Array.from({ length: count }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return ((seed >>> 16) % 17) / 8 - 1;
  });
}

interface Strided {
  data: Float32Array;
  at: (row: number, column: number) => number;
}
const plain = (data: Float32Array, columns: number, first = 0): Strided => ({
  data,
  at: (i, j) => data[first + i * columns + j]!,
});
const transposed = (data: Float32Array, rows: number, first = 0): Strided => ({
  data,
  at: (i, j) => data[first + j * rows + i]!,
});

function product(
  a: Strided,
  b: Strided,
  [rows, columns, depth]: readonly [number, number, number],
  out: Float32Array,
  first = 0,
): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = out[first + i * columns + j]!;
      for (let k = 0; k < depth; k++) sum += a.at(i, k) * b.at(k, j);
      out[first + i * columns + j] = sum;
    }
  }
}

const shapes = [
  [1, 1, 1],
  [1, 37, 65],
  [2, 8, 3],
  [3, 40, 128],
  [5, 33, 31],
  [8, 64, 300],
  [9, 17, 19],
  [6, 8, 256],
  [100, 70, 257],
  [97, 530, 33],
  [800, 24, 40],
  [0, 5, 7],
  [5, 0, 7],
  [5, 7, 0],
  [30, 20, 0],
] as const;

describe.each([
  { relaxed: true, threads: 2 },
  { relaxed: false, threads: 1 },
  { relaxed: true, threads: 3, heapBytes: 2 ** 23 },
])('relaxed $relaxed, threads $threads', (options) => {
  let device: Device;
  beforeAll(async () => {
    device = await createWasmDevice(options);
  });
  afterAll(() => device.destroy());

  const cases = shapes.flatMap((shape) =>
    [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => ({
      shape,
      transposeA: (bits & 1) > 0,
      transposeB: (bits & 2) > 0,
      accumulate: (bits & 4) > 0,
    })),
  );
  it.each(cases)('multiplies $shape, $transposeA, $transposeB, $accumulate', async (example) => {
    const { shape, transposeA, transposeB, accumulate } = example;
    const [rows, columns, depth] = shape;
    const scope = new Scope(device);
    const a = eighths(rows * depth);
    const b = eighths(depth * columns);
    const before = eighths(rows * columns);
    const out = scope.from([rows, columns], before);
    device.kernels.matmul({
      a: scope.from(transposeA ? [depth, rows] : [rows, depth], a),
      b: scope.from(transposeB ? [columns, depth] : [depth, columns], b),
      out,
      transposeA,
      transposeB,
      accumulate,
    });
    const expected = accumulate ? before : new Float32Array(before.length);
    const left = transposeA ? transposed(a, rows) : plain(a, depth);
    const right = transposeB ? transposed(b, depth) : plain(b, columns);
    product(left, right, shape, expected);
    expect(await readFloats(device, out)).toEqual(expected);
    scope.close();
  });

  const groups = [
    [0, 0],
    [0, 3, 3, 4, 30, 230],
    [0, 9],
    [0, 0, 0, 1, 1],
    [0, 20, 28, 36],
  ];
  it.each(groups)('multiplies by expert, rows %o', async (...bounds: number[]) => {
    const offsets = Int32Array.from(bounds);
    const experts = offsets.length - 1;
    const total = offsets[experts]!;
    const [depth, columns] = [70, 45];
    for (const transposeB of [false, true]) {
      for (const accumulate of [false, true]) {
        const scope = new Scope(device);
        const a = eighths(total * depth);
        const b = eighths(experts * depth * columns);
        const before = eighths(total * columns);
        const out = scope.from([total, columns], before);
        device.kernels.groupedMatmul({
          a: scope.from([total, depth], a),
          b: scope.from(transposeB ? [experts, columns, depth] : [experts, depth, columns], b),
          offsets: scope.from([experts + 1], offsets),
          out,
          transposeB,
          accumulate,
        });
        const expected = accumulate ? before : new Float32Array(before.length);
        for (let e = 0; e < experts; e++) {
          const first = offsets[e]!;
          const weights = e * depth * columns;
          product(
            plain(a, depth, first * depth),
            transposeB ? transposed(b, depth, weights) : plain(b, columns, weights),
            [offsets[e + 1]! - first, columns, depth],
            expected,
            first * columns,
          );
        }
        expect(await readFloats(device, out)).toEqual(expected);
        scope.close();
      }
    }
  });

  it.each(groups)('multiplies transposed by expert, rows %o', async (...bounds: number[]) => {
    const offsets = Int32Array.from(bounds);
    const experts = offsets.length - 1;
    const total = offsets[experts]!;
    const [rows, columns] = [70, 45];
    for (const accumulate of [false, true]) {
      const scope = new Scope(device);
      const a = eighths(total * rows);
      const b = eighths(total * columns);
      const before = eighths(experts * rows * columns);
      const out = scope.from([experts, rows, columns], before);
      device.kernels.groupedMatmulTransposed({
        a: scope.from([total, rows], a),
        b: scope.from([total, columns], b),
        offsets: scope.from([experts + 1], offsets),
        out,
        accumulate,
      });
      const expected = accumulate ? before : new Float32Array(before.length);
      for (let e = 0; e < experts; e++) {
        const first = offsets[e]!;
        product(
          transposed(a, rows, first * rows),
          plain(b, columns, first * columns),
          [rows, columns, offsets[e + 1]! - first],
          expected,
          e * rows * columns,
        );
      }
      expect(await readFloats(device, out)).toEqual(expected);
      scope.close();
    }
  });
});

describe('the same bits', () => {
  const gaussian = (count: number) => eighths(count).map((x) => Math.sin(x * 1e5));

  async function multiply(threads: number, rows: number, a: Float32Array, b: Float32Array) {
    const device = await createWasmDevice({ threads });
    const scope = new Scope(device);
    const [columns, depth] = [600, 700];
    const out = scope.empty([rows, columns]);
    device.kernels.matmul({
      a: scope.from([rows, depth], a.subarray(0, rows * depth)),
      b: scope.from([columns, depth], b),
      out,
      transposeA: false,
      transposeB: true,
      accumulate: false,
    });
    const result = await readFloats(device, out);
    await device.destroy();
    return result;
  }

  it('come from any number of threads, and of rows', async () => {
    const a = gaussian(1000 * 700);
    const b = gaussian(600 * 700);
    const many = await multiply(2, 1000, a, b);
    expect(await multiply(1, 1000, a, b)).toEqual(many);
    expect(await multiply(5, 1000, a, b)).toEqual(many);
    for (const rows of [1, 2, 3, 5, 8, 9]) {
      expect(await multiply(3, rows, a, b)).toEqual(many.slice(0, rows * 600));
    }
  });
});

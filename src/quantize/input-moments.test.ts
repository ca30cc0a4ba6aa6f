import { expect, test } from 'vitest';
import { TestRandom } from '../../test/conformance/random.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { Scope } from '../tensor/scope.ts';
import { InputMoments } from './input-moments.ts';

const random = new TestRandom(4);

/** Σ x·xᵀ over some rows of x [T,K]. */
function momentsOf(x: Float32Array, columns: number, rows: readonly number[]): number[] {
  return Array.from({ length: columns ** 2 }, (_, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns];
    return rows.reduce((sum, row) => sum + x[row * columns + i]! * x[row * columns + j]!, 0);
  });
}

function expectNear(found: Float32Array | null, wanted: readonly number[]): void {
  expect(found).toHaveLength(wanted.length);
  wanted.forEach((value, i) => {
    expect(found![i]).toBeCloseTo(value, 5);
  });
}

test('of a matrix, over all its products; the same of a part that begins where it does', async () => {
  const device = createReferenceDevice();
  const moments = new InputMoments(device);
  const scope = new Scope(moments.device);
  const [first, second] = [random.floats(3 * 4), random.floats(2 * 4)];
  const weight = scope.from([6, 4], random.floats(24));
  for (const data of [first, second]) {
    const a = scope.from([data.length / 4, 4], data);
    const out = scope.empty([a.rows, 6]);
    const ways = { transposeA: false, transposeB: true, accumulate: false };
    moments.device.kernels.matmul({ a, b: weight, out, ...ways });
  }
  const all = Float32Array.from([...first, ...second]);
  expectNear(await moments.of(weight), momentsOf(all, 4, [0, 1, 2, 3, 4]));
  expectNear(await moments.of(weight.slice(0, 2)), momentsOf(all, 4, [0, 1, 2, 3, 4]));
  expect(await moments.of(scope.from([6, 4], random.floats(24)))).toBeNull();
});

test('of experts, each over its own rows', async () => {
  const device = createReferenceDevice();
  const moments = new InputMoments(device);
  const scope = new Scope(moments.device);
  const data = random.floats(3 * 4);
  const x = scope.from([3, 4], data);
  // Expert 0 has rows 2 and 0, expert 1 none, expert 2 row 2.
  const tokens = scope.from([3], Int32Array.of(2, 0, 2));
  const offsets = scope.from([4], Int32Array.of(0, 2, 2, 3));
  const [gateWeight, upWeight] = [0, 1].map(() => scope.from([3, 5, 4], random.floats(60)));
  const out = scope.empty([3, 5]);
  const gated = { gateWeight: gateWeight!, upWeight: upWeight!, gate: null, up: null };
  moments.device.kernels.groupedSwiglu({ x, tokens, offsets, ...gated, out });
  const wanted = [[2, 0], [], [2]].flatMap((rows) => momentsOf(data, 4, rows));
  expectNear(await moments.of(gateWeight!), wanted);
  expectNear(await moments.of(upWeight!), wanted);

  const down = scope.from([3, 2, 4], random.floats(24));
  const product = { a: x, b: down, offsets, out: scope.empty([3, 2]) };
  moments.device.kernels.groupedMatmul({ ...product, transposeB: true, accumulate: false });
  expectNear(
    await moments.of(down),
    [[0, 1], [], [2]].flatMap((rows) => momentsOf(data, 4, rows)),
  );
});

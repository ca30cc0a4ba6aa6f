import { expect, test } from 'vitest';
import { BufferPool } from './buffer-pool.ts';
import type { Failures } from './failures.ts';

const mebibyte = 2 ** 20;

/** A pool over a device that only counts. */
function countingPool() {
  const count = { made: 0, destroyed: 0 };
  const device = {
    limits: { maxBufferSize: 2 ** 31 },
    createBuffer: () => {
      count.made++;
      return { destroy: () => count.destroyed++ };
    },
    pushErrorScope: () => {},
    popErrorScope: async () => null,
  } as unknown as GPUDevice;
  return { pool: new BufferPool(device, { watch() {} } as unknown as Failures), count };
}

test('a forward pass that gives back each layer finds its buffers again', () => {
  const { pool, count } = countingPool();
  // Layers of two kinds, as with full and windowed attention.
  const sizes = [
    [400, 130],
    [400, 200],
  ].map((layer) => layer.map((size) => size * mebibyte));
  const pass = () => {
    for (const layer of sizes) {
      const taken = layer.map((size) => pool.take(size, () => {}));
      for (const buffer of taken) pool.give(buffer);
    }
  };
  pass();
  const { made } = count;
  for (let i = 0; i < 5; i++) pass();
  expect(count).toEqual({ made, destroyed: 0 });
});

test('sizes that nobody asks for any more do not pile up', () => {
  const { pool, count } = countingPool();
  for (let size = 300; size < 900; size += 60) {
    pool.give(pool.take(size * mebibyte, () => {}));
  }
  expect(count.made).toBe(10);
  expect(count.destroyed).toBeGreaterThanOrEqual(7);
});

test('batches of changing size settle on one set of buffers', () => {
  const { pool, count } = countingPool();
  const pass = (rows: number) => {
    const taken = [40, 100, 256].map((bytes) => pool.take(rows * bytes * 64, () => {}));
    for (const buffer of taken.reverse()) pool.give(buffer);
  };
  pass(32_768);
  const { made } = count;
  for (const rows of [30_000, 24_000, 32_000, 27_000]) pass(rows);
  expect(count).toEqual({ made, destroyed: 0 });
});

test('a small buffer is of its own size', () => {
  const { pool } = countingPool();
  pool.give(pool.take(1280, () => {}));
  expect(pool.take(1024, () => {}).byteLength).toBe(1024);
});

test('the same sizes find the same buffers, in whatever order these came back', () => {
  const { pool } = countingPool();
  const take = () => [8, 8, 8].map((size) => pool.take(size * 1024, () => {}));
  const first = take();
  for (const at of [1, 2, 0]) pool.give(first[at]!);
  const second = take();
  expect(second.map(({ id }) => id)).toEqual(first.map(({ id }) => id));
});

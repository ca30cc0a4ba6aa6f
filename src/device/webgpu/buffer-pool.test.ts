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

import { expect, test } from 'vitest';
import { createReferenceDevice } from '../device/reference/device.ts';
import { readFloats } from '../tensor/scope.ts';
import { OutOfMemoryError } from '../tensor/tensor.ts';
import { PagePool } from './page-pool.ts';

const device = createReferenceDevice();

function newPool(limit: number): PagePool {
  const rows = [3, 1].map((columns) => ({ columns, dtype: 'f32' as const }));
  return new PagePool(device, { rows, pageSize: 2, limit });
}

test('grows up to its limit, keeping what pages hold, and gives pages out again', async () => {
  const pool = newPool(11);
  expect(pool.available).toBe(11);
  const pages = [pool.take()!];
  const row = Float32Array.of(1, 2, 3);
  device.write(pool.tensors[0]!.storage, 4 * 3 * 2 * pages[0]!, row);
  for (let i = 1; i < 11; i++) pages.push(pool.take()!);
  expect([...pages].sort((a, b) => a - b)).toEqual(Array.from({ length: 11 }, (_, i) => i));
  expect(pool.take()).toBeNull();
  expect(pool.tensors.map(({ shape }) => shape)).toEqual([
    [22, 3],
    [22, 1],
  ]);
  const kept = await readFloats(device, pool.tensors[0]!);
  expect([...kept.subarray(6 * pages[0]!, 6 * pages[0]! + 4)]).toEqual([1, 2, 3, 0]);
  pool.give(pages[4]!);
  expect(pool.available).toBe(1);
  expect(pool.take()).toBe(pages[4]);
  pool.release();
  expect(device.allocatedBytes).toBe(0);
});

test('where the device has no more memory, its limit is what it has', () => {
  const pool = newPool(100);
  const { allocate } = device;
  let calls = 0;
  device.allocate = (bytes) => {
    if (++calls === 2) throw new OutOfMemoryError('no more');
    return allocate(bytes);
  };
  const taken = Array.from({ length: 5 }, () => pool.take());
  device.allocate = allocate;
  expect(taken.map((page) => page !== null)).toEqual([true, true, true, true, false]);
  expect(pool.available).toBe(0);
  pool.release();
  expect(device.allocatedBytes).toBe(0);
});

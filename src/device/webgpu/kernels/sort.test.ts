import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestRandom } from '../../../../test/conformance/random.ts';
import { Tensor } from '../../../tensor/tensor.ts';
import { findAdapter, openDevice } from '../adapter.ts';
import { Failures } from '../failures.ts';
import { Runtime } from '../runtime.ts';
import { sortedRows } from './sort.ts';

const found = await findAdapter().catch((error: Error) => error);

describe.skipIf(found instanceof Error)('sorting rows', () => {
  let runtime: Runtime;
  beforeAll(async () => {
    if (found instanceof Error) return;
    const gpu = await openDevice(found);
    const { immediates } = found;
    runtime = new Runtime(gpu, new Failures(gpu), {
      immediates,
      profiler: null,
      matrixUnits: null,
      subgroupSize: 1,
    });
  });
  afterAll(() => runtime.destroy());

  // One digit, one digit of which the largest key is next to the last, two digits.
  test.each([7, 255, 300])('is stable, with negative keys last, below %i', async (limit) => {
    const random = new TestRandom(limit);
    const keys = random.ints(3000, limit).map((key, i) => (i % 11 === 0 ? -1 - (i % 9) : key));
    const storage = runtime.allocate(keys.byteLength);
    runtime.write(storage, 0, keys);
    const order = sortedRows(runtime, new Tensor([keys.length], 'i32', storage), limit);
    const bytes = await runtime.read(order.storage, order.byteOffset, order.byteLength);
    const place = (row: number) => (keys[row]! < 0 ? limit : keys[row]!);
    const rows = Array.from(keys, (_, row) => row);
    expect([...new Int32Array(bytes.buffer, bytes.byteOffset, keys.length)]).toEqual(
      rows.sort((a, b) => place(a) - place(b)),
    );
    runtime.releaseScratch();
    runtime.release(storage);
  });
});

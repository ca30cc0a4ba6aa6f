import { expect, it, vi } from 'vitest';
import { Control } from './control.ts';
import { loadBinary } from './platform.ts';
import { Runtime } from './runtime.ts';
import { compile } from './webassembly.ts';
import { WorkerPool } from './worker-pool.ts';

const module = await compile(await loadBinary(new URL('./build/simd.wasm', import.meta.url)));

it.each([
  1, 2, 4,
])('a trap in a kernel is thrown and does not hang, threads %i', async (threads) => {
  const runtime = await Runtime.start(module, { threads });
  runtime.heaps.release(runtime.heaps.allocate(4));
  const outside = 2 ** 32 - 4096;
  expect(() => runtime.launch('fill', [outside, 1], 1_000_000, 1000)).toThrow();
  await runtime.destroy();
});

it('says which kernel it does not have', async () => {
  const runtime = await Runtime.start(module, { threads: 1 });
  expect(() => runtime.launch('nothing', [], 1, 1)).toThrow('no kernel nothing');
  await runtime.destroy();
});

it('throws once a worker has died', async () => {
  const pool = await WorkerPool.start(1, module, new Control());
  pool.check();
  pool.post({ type: 'heap', memory: {} as never });
  await vi.waitFor(() => expect(() => pool.check()).toThrow('failed'));
  await pool.destroy();
});

it('can be ended while a worker dies: nothing is thrown at nobody', async () => {
  const uncaught: unknown[] = [];
  const listen = (error: unknown) => uncaught.push(error);
  process.on('uncaughtExceptionMonitor', listen);
  for (let wait = 0; wait < 20; wait++) {
    const pool = await WorkerPool.start(1, module, new Control());
    pool.post({ type: 'heap', memory: {} as never });
    await new Promise((resolve) => setTimeout(resolve, wait / 4));
    await pool.destroy();
  }
  process.off('uncaughtExceptionMonitor', listen);
  expect(uncaught).toEqual([]);
});

it('computes on without a worker that died unseen', async () => {
  const control = new Control();
  const filled: number[] = [];
  const launch = { kernel: 0, heap: 0, arguments: [7], items: 10, grain: 3, chunks: 4 };
  control.publish(launch);
  control.work(0, () => [(value, begin, end) => filled.push(value!, begin!, end!)]);
  control.join(launch);
  expect(filled).toEqual([7, 0, 3, 7, 3, 6, 7, 6, 9, 7, 9, 10]);
});

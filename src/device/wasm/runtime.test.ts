import { afterEach, describe, expect, it } from 'vitest';
import type { Device } from '../../tensor/device.ts';
import { readFloats, Scope } from '../../tensor/scope.ts';
import { OutOfMemoryError } from '../../tensor/tensor.ts';
import { createWasmDevice } from './device.ts';

const devices: Device[] = [];
async function open(...args: Parameters<typeof createWasmDevice>): Promise<Device> {
  const device = await createWasmDevice(...args);
  devices.push(device);
  return device;
}
afterEach(async () => {
  await Promise.all(devices.splice(0).map((device) => device.destroy()));
});

const ramp = (count: number, step = 1) => Float32Array.from({ length: count }, (_, i) => i * step);

describe.each([1, 2, 5])('with %i threads', (threads) => {
  it('fills, copies and adds any number of elements', async () => {
    const device = await open({ threads });
    const scope = new Scope(device);
    for (const count of [0, 1, 3, 4, 17, 16384, 16385, 300_001]) {
      const a = scope.from([count], ramp(count));
      const b = scope.empty([count]);
      device.kernels.fill({ out: b, value: 2 });
      device.kernels.add({ a, b, out: b });
      const out = scope.empty([count]);
      device.kernels.copy({ source: b, out });
      expect(await readFloats(device, out)).toEqual(ramp(count).map((x) => x + 2));
    }
    scope.close();
    expect(device.allocatedBytes).toBe(0);
  });

  it('keeps launches apart', async () => {
    const device = await open({ threads });
    const scope = new Scope(device);
    const count = 5 * 16384;
    const sum = scope.zeros([count]);
    const one = scope.empty([count]);
    device.kernels.fill({ out: one, value: 1 });
    for (let i = 0; i < 3000; i++) device.kernels.add({ a: sum, b: one, out: sum });
    expect(await readFloats(device, sum)).toEqual(new Float32Array(count).fill(3000));
  });
});

describe('several heaps', () => {
  const heapBytes = 2 ** 20;

  it('brings operands together', async () => {
    const device = await open({ threads: 2, heapBytes });
    const scope = new Scope(device);
    const count = 50_000; // 200 kB: four to a heap
    const tensors = Array.from({ length: 13 }, (_, i) => scope.from([count], ramp(count, i)));
    for (const a of tensors.slice(1)) {
      device.kernels.add({ a, b: tensors[0]!, out: tensors[0]! });
    }
    expect(await readFloats(device, tensors[0]!)).toEqual(ramp(count, 78));
    scope.close();
    expect(device.allocatedBytes).toBe(0);
  });

  it('says what does not fit', async () => {
    const device = await open({ threads: 1, heapBytes });
    expect(() => device.allocate(heapBytes)).toThrow(OutOfMemoryError);
    expect(() => device.allocate(heapBytes)).toThrow('at most 0.9 MiB a tensor');
    expect(device.allocate(heapBytes - 65536).byteLength).toBe(heapBytes - 65536);
  });
});

it('refuses storage that was released', async () => {
  const device = await open({ threads: 1 });
  const storage = device.allocate(100);
  device.release(storage);
  expect(() => device.release(storage)).toThrow('released');
  await expect(device.read(storage, 0, 4)).rejects.toThrow('released');
});

it('uses the same memory again', async () => {
  const device = await open({ threads: 1, heapBytes: 2 ** 22 });
  for (let round = 0; round < 200; round++) {
    const storages = Array.from({ length: 30 }, (_, i) => device.allocate(1000 * (i + 1)));
    for (const storage of storages.sort((a, b) => (a.byteLength % 7) - (b.byteLength % 7))) {
      device.release(storage);
    }
  }
  expect(device.allocate(3 * 2 ** 20).byteLength).toBe(3 * 2 ** 20);
});

it('throws after it has been destroyed', async () => {
  const device = await createWasmDevice({ threads: 2 });
  const scope = new Scope(device);
  const out = scope.empty([4]);
  await device.destroy();
  expect(() => device.kernels.fill({ out, value: 1 })).toThrow('failed');
});

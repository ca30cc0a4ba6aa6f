import { afterEach, describe, expect, test, vi } from 'vitest';
import { fakeGpu } from '../../test/support/fake-gpu.ts';
import { UserError } from '../errors.ts';
import { createDevice } from './create-device.ts';

afterEach(() => vi.unstubAllGlobals());

/** From now on the system's GPU is this one. */
const pretend = (gpu: GPU) => vi.stubGlobal('navigator', { gpu });
const nameOf = async (name: string) => {
  const device = await createDevice(name);
  await device.destroy();
  return device.name;
};

describe('the device auto', () => {
  test('is a real GPU', async () => {
    pretend(fakeGpu({ info: { vendor: 'nvidia', description: 'NVIDIA H100' } }));
    // It gets as far as opening it, which a pretended one does not survive.
    await expect(nameOf('auto')).rejects.toThrow(/^the GPU cannot be opened: pretended/);
  });

  test.each([
    ['a CPU that plays a GPU', { info: { description: 'SwiftShader Device (Subzero)' } }],
    ['a fallback adapter', { info: { isFallbackAdapter: true } }],
    ['no adapter', null],
  ])('is the CPU where there is %s', async (_, adapter) => {
    pretend(fakeGpu(adapter));
    expect(await nameOf('auto')).toBe('wasm');
  });
});

describe('what cannot be had is an error of one line', () => {
  test('a GPU', async () => {
    pretend(fakeGpu(null));
    await expect(nameOf('webgpu')).rejects.toThrow(/^no GPU: WebGPU finds no adapter.*--device/);
  });

  test.each(['wasm', 'reference', 'auto'])('mixed precision on %s', async (name) => {
    pretend(fakeGpu(null));
    const opening = createDevice(name, { precision: 'mixed' });
    await expect(opening).rejects.toThrow(/works in f32 only.*--precision f32$/);
    await expect(opening).rejects.toThrow(UserError);
  });

  test('a device that nobody wrote', async () => {
    await expect(createDevice('cuda')).rejects.toThrow(/^there is no device 'cuda'/);
  });
});

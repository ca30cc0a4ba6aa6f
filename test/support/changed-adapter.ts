import type { FoundAdapter } from '../../src/device/webgpu/adapter.ts';

/** The same adapter with some of its properties replaced: an adapter that says what is not so. */
export function withChanges(found: FoundAdapter, changes: Partial<GPUAdapter>): FoundAdapter {
  const adapter = new Proxy(found.adapter, {
    get(target, name) {
      if (name in changes) return changes[name as keyof GPUAdapter];
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { ...found, adapter };
}

/**
 * The same adapter, whose device is changed before anyone sees it. The device itself cannot be replaced:
 * WebGPU takes only its own as arguments.
 */
export function withChangedDevice(
  found: FoundAdapter,
  change: (device: GPUDevice) => void,
): FoundAdapter {
  return withChanges(found, {
    requestDevice: async (descriptor) => {
      const device = await found.adapter.requestDevice(descriptor);
      change(device);
      return device;
    },
  });
}

import type { Device } from '../tensor/device.ts';
import type { Kernels } from '../tensor/kernels.ts';

export interface KernelTime {
  kernel: string;
  calls: number;
  seconds: number;
}

/**
 * A device that measures how long its kernels take, for devices whose calls return when the work is
 * done. `take` gives the times since the last `take`, longest first.
 */
export function profiled(device: Device): { device: Device; take: () => KernelTime[] } {
  const times = new Map<string, KernelTime>();
  const kernels = Object.fromEntries(
    Object.entries(device.kernels).map(([kernel, run]: [string, (a: never) => void]) => [
      kernel,
      (a: never) => {
        const begin = performance.now();
        run(a);
        const entry = times.get(kernel) ?? { kernel, calls: 0, seconds: 0 };
        entry.calls++;
        entry.seconds += (performance.now() - begin) / 1e3;
        times.set(kernel, entry);
      },
    ]),
  ) as unknown as Kernels;
  return {
    device: proxyOf(device, kernels),
    take() {
      const list = [...times.values()].sort((a, b) => b.seconds - a.seconds);
      times.clear();
      return list;
    },
  };
}

/** The device itself, but for its kernels; its methods keep their own `this`. */
function proxyOf(device: Device, kernels: Kernels): Device {
  return new Proxy(device, {
    get(target, name) {
      if (name === 'kernels') return kernels;
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

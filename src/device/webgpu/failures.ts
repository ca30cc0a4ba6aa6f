import { UserError } from '../../errors.ts';
import { OutOfMemoryError } from '../../tensor/tensor.ts';

/**
 * WebGPU reports trouble later than it happens. The first report is kept and thrown by every call
 * after it, so that nothing goes on with what a failed command left behind.
 */
export class Failures {
  #first: Error | null = null;
  #closing = false;

  constructor(device: GPUDevice) {
    device.addEventListener('uncapturederror', (event) => {
      const { error } = event as GPUUncapturedErrorEvent;
      this.report(new Error(`webgpu: ${error.message}`));
    });
    void device.lost.then(({ message, reason }) => {
      if (this.#closing) return;
      const why = message.split('\n')[0] || reason || 'no reason given';
      this.#first = new UserError(`the GPU was lost: ${why}`);
    });
  }

  report(error: Error): void {
    this.#first ??= error;
  }

  /** From now on losing the device is what we want. */
  expectLoss(): void {
    this.#closing = true;
  }

  throwIfAny(): void {
    if (this.#first) throw this.#first;
  }
}

export function outOfMemory(wanted: number, allocated: number, limit?: number): OutOfMemoryError {
  const most = limit === undefined ? '' : ` (it takes at most ${inMebibytes(limit)} at once)`;
  return new OutOfMemoryError(
    `the GPU has no ${inMebibytes(wanted)} more: ${inMebibytes(allocated)} are in use${most}; ` +
      'use a smaller batch, shorter sequences or a smaller model',
  );
}

function inMebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 2 : 0)} MiB`;
}

import { UserError } from '../../errors.ts';
import { OutOfMemoryError } from '../../tensor/tensor.ts';

/**
 * WebGPU reports trouble later than it happens. What it reports is kept and thrown by the calls after
 * it, so that nothing goes on with what a failed command left behind.
 *
 * A buffer for which there was no memory makes every command that uses it invalid, and those are
 * reported first. So calls that cannot wait throw only what a person can act on; reading, which can,
 * first waits for all reports and then throws anything.
 */
export class Failures {
  #first: Error | null = null;
  #closing = false;
  readonly #lost: Promise<void>;
  readonly #pending = new Set<Promise<unknown>>();

  constructor(device: GPUDevice) {
    device.addEventListener('uncapturederror', (event) => {
      const { error } = event as GPUUncapturedErrorEvent;
      this.#report(new Error(`webgpu: ${error.message}`));
    });
    this.#lost = device.lost.then(({ message, reason }) => {
      if (this.#closing) return;
      const why = message.split('\n')[0] || reason || 'no reason given';
      this.#report(new UserError(`the GPU was lost: ${why}`));
    });
  }

  /** Reports `failure` if the scope, when its report arrives, has caught an error. */
  watch(scope: Promise<GPUError | null>, failure: () => Error): void {
    const done = scope.then(
      (error) => {
        if (error) this.#report(failure());
      },
      () => {}, // The device is lost, which is reported by itself.
    );
    this.#pending.add(done);
    void done.finally(() => this.#pending.delete(done));
  }

  /** From now on losing the device is what we want. */
  expectLoss(): void {
    this.#closing = true;
  }

  /** Throws what has been reported, if a person can act on it. */
  throwIfKnown(): void {
    if (this.#first instanceof UserError) throw this.#first;
  }

  /** Waits for reports that are on their way, and throws anything there is. */
  async throwIfAny(): Promise<void> {
    await Promise.all(this.#pending);
    if (this.#first) throw this.#first;
  }

  /** Why a wait for the GPU failed: the loss of the device, if that is being reported. */
  async explain(cause: unknown): Promise<never> {
    const moment = new Promise((resolve) => setTimeout(resolve, 100));
    await Promise.race([this.#lost, moment]);
    await this.throwIfAny();
    throw cause;
  }

  #report(error: Error): void {
    if (this.#first instanceof UserError) return;
    if (this.#first === null || error instanceof UserError) this.#first = error;
  }
}

export function outOfMemory(wanted: number, allocated: number): OutOfMemoryError {
  return new OutOfMemoryError(
    `the GPU has no ${inMebibytes(wanted)} more: ${inMebibytes(allocated)} are in use; ` +
      'use fewer tokens at once, shorter sequences or a smaller model',
  );
}

/** More than one buffer of this GPU can be, however much memory there is. */
export function tooLarge(wanted: number, limit: number): OutOfMemoryError {
  return new OutOfMemoryError(
    `a tensor of ${inMebibytes(wanted)} does not fit this GPU, whose largest is ` +
      `${inMebibytes(limit)}: use fewer tokens at once or a smaller model`,
  );
}

export function inMebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 2 : 0)} MiB`;
}

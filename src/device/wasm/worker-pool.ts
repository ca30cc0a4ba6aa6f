import { moduleBeside } from '../../module-beside.ts';
import type { Control } from './control.ts';
import { startWorker, type WorkerHandle } from './platform.ts';
import type { WasmModule } from './webassembly.ts';
import type { WorkerMessage } from './worker.ts';

/** The worker threads of one device: started together, told of new heaps, ended together. */
export class WorkerPool {
  readonly #workers: WorkerHandle[] = [];
  readonly #control: Control;
  #failure: Error | null = null;

  private constructor(control: Control) {
    this.#control = control;
  }

  /** Resolves when all of them are ready. */
  static async start(
    count: number,
    module: WasmModule,
    control: Control,
    url: URL = moduleBeside('./worker', import.meta.url),
  ): Promise<WorkerPool> {
    const pool = new WorkerPool(control);
    const ready: Promise<void>[] = [];
    for (let thread = 1; thread <= count; thread++) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const worker = startWorker(url, {
        message: () => resolve(),
        failure: (error) => {
          pool.#failure ??= error;
          reject(error);
        },
      });
      pool.#workers.push(worker);
      const message: WorkerMessage = { type: 'start', thread, module, control: control.buffer };
      worker.post(message);
      ready.push(promise);
    }
    try {
      await Promise.all(ready);
    } catch (error) {
      await pool.destroy();
      throw error;
    }
    // Only now: a program that is still waiting for its device must not end.
    for (const worker of pool.#workers) worker.detach();
    return pool;
  }

  get size(): number {
    return this.#workers.length;
  }

  /** @throws Error if a worker has failed: what it was computing is lost */
  check(): void {
    if (this.#control.failed) this.#failure ??= new Error('a kernel trapped on a worker thread');
    if (this.#failure) {
      throw new Error('the wasm device has failed', { cause: this.#failure });
    }
  }

  post(message: WorkerMessage): void {
    for (const worker of this.#workers) worker.post(message);
    this.#control.announceMail();
  }

  async destroy(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
    this.#failure ??= new Error('it has been destroyed');
  }
}

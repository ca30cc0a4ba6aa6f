/**
 * The few lines in which Node differs from a browser: reading a file of ours, starting a worker and
 * talking to it.
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parentPort, Worker } from 'node:worker_threads';

export { availableParallelism };

/** Bytes the machine (or container) can still give. */
export function availableMemory(): number {
  return process.availableMemory();
}

export async function loadBinary(url: URL): Promise<Uint8Array> {
  try {
    return await readFile(url);
  } catch (cause) {
    throw new Error(`cannot read ${url.pathname}: build it with npm run build:wasm`, { cause });
  }
}

/** A worker seen from the thread that started it. */
export interface WorkerHandle {
  post(message: unknown): void;
  /** From now on the worker does not keep the process alive. */
  detach(): void;
  terminate(): Promise<void>;
}

/** Starts a worker; it keeps the process alive until it is detached. */
export function startWorker(
  url: URL,
  handlers: { message: (message: unknown) => void; failure: (error: Error) => void },
): WorkerHandle {
  const worker = new Worker(url);
  worker.on('message', handlers.message);
  worker.on('error', handlers.failure);
  worker.on('exit', (code) => handlers.failure(new Error(`a worker thread ended (code ${code})`)));
  return {
    post: (message) => worker.postMessage(message),
    detach: () => worker.unref(),
    terminate: async () => {
      worker.removeAllListeners();
      await worker.terminate();
    },
  };
}

/** Inside a worker: messages from the thread that started it, and answers to it. */
export function connectToParent(receive: (message: unknown) => void): (message: unknown) => void {
  parentPort!.on('message', receive);
  return (message) => parentPort!.postMessage(message);
}

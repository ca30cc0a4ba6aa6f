import type { Worker } from 'node:worker_threads';

/**
 * Ends a thread that nobody listens to any more. An error of it that is on its way concerns nobody then;
 * without a listener it would end the process.
 */
export async function endThread(worker: Worker): Promise<void> {
  worker.removeAllListeners();
  worker.on('error', () => {});
  await worker.terminate();
}

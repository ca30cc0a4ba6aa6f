/**
 * The few lines in which Node differs from a browser: reading a file of ours, starting a worker and
 * talking to it. In a browser, memory can be shared only by pages that are cross-origin isolated, and a
 * page's own thread cannot wait asleep: computing belongs in a worker of its own there.
 */
import { endThread } from '../../end-thread.ts';
import { UserError } from '../../errors.ts';

/** Node's modules, asked for in a way that a bundler for browsers passes over; null in a browser. */
const node =
  typeof process !== 'undefined' && process.versions?.node !== undefined
    ? {
        files: process.getBuiltinModule('node:fs/promises'),
        threads: process.getBuiltinModule('node:worker_threads'),
        system: process.getBuiltinModule('node:os'),
      }
    : null;

/** What is used of a browser; the names are the platform's. */
interface Browser {
  navigator: { hardwareConcurrency: number; deviceMemory?: number };
  crossOriginIsolated?: boolean;
  /** Only a page has one, a worker has not. */
  document?: object;
  Worker: new (url: URL, options: { type: 'module' }) => BrowserWorker;
  addEventListener(type: 'message', receive: (event: { data: unknown }) => void): void;
  postMessage(message: unknown): void;
}

interface BrowserWorker {
  onmessage: (event: { data: unknown }) => void;
  onerror: (event: { message?: string }) => void;
  postMessage(message: unknown): void;
  terminate(): void;
}

const browser = globalThis as unknown as Browser;

/** Whether this thread may sleep until another wakes it. */
export const mayWait = node !== null || browser.document === undefined;

export function availableParallelism(): number {
  return node ? node.system.availableParallelism() : browser.navigator.hardwareConcurrency;
}

/** Bytes the machine (or container) can still give; a browser says roughly what there is at most. */
export function availableMemory(): number {
  return node ? process.availableMemory() : (browser.navigator.deviceMemory ?? 4) * 2 ** 30;
}

/** Whether threads can share memory. */
export function canShareMemory(): boolean {
  return node !== null || browser.crossOriginIsolated === true;
}

/** @throws UserError where threads cannot share memory */
export function assertSharedMemory(): void {
  if (canShareMemory()) return;
  throw new UserError(
    'the device wasm shares memory between threads, which this page may not: serve it with ' +
      'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp',
  );
}

export async function loadBinary(url: URL): Promise<Uint8Array> {
  try {
    if (node) return await node.files.readFile(url);
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    return new Uint8Array(await response.arrayBuffer());
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

interface WorkerHandlers {
  message: (message: unknown) => void;
  failure: (error: Error) => void;
}

/** Starts a worker; it keeps the process alive until it is detached. */
export function startWorker(url: URL, handlers: WorkerHandlers): WorkerHandle {
  if (!node) return startBrowserWorker(url, handlers);
  const worker = new node.threads.Worker(url);
  worker.on('message', handlers.message);
  worker.on('error', handlers.failure);
  worker.on('exit', (code) => handlers.failure(new Error(`a worker thread ended (code ${code})`)));
  return {
    post: (message) => worker.postMessage(message),
    detach: () => worker.unref(),
    terminate: () => endThread(worker),
  };
}

function startBrowserWorker(url: URL, { message, failure }: WorkerHandlers): WorkerHandle {
  const worker = new browser.Worker(url, { type: 'module' });
  worker.onmessage = ({ data }) => message(data);
  worker.onerror = (event) => failure(new Error(event.message ?? 'a worker cannot be started'));
  return {
    post: (value) => worker.postMessage(value),
    detach: () => {},
    terminate: async () => worker.terminate(),
  };
}

/** Inside a worker: messages from the thread that started it, and answers to it. */
export function connectToParent(receive: (message: unknown) => void): (message: unknown) => void {
  if (node) {
    const parent = node.threads.parentPort!;
    parent.on('message', receive);
    return (message) => parent.postMessage(message);
  }
  browser.addEventListener('message', ({ data }) => receive(data));
  return (message) => browser.postMessage(message);
}

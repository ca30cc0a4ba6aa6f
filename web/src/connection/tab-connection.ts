import { type Signal, signal } from '@preact/signals';
import type { TabDevice } from '../preferences.ts';
import type { FromWorker, ToWorker } from '../worker/messages.ts';
import type { Connection } from './connection.ts';
import { Failure } from './failure.ts';
import { keyHeader } from './server-connection.ts';

export interface TabConnection extends Connection {
  /** Share of the model's files that has arrived; 1 once it runs. */
  readonly progress: Signal<number>;
}

/** An answer that is on its way. */
interface Pending {
  resolve(response: Response): void;
  reject(error: Error): void;
  body: ReadableStreamDefaultController<Uint8Array> | null;
}

/** The model in a worker of this tab; requests wait until it is loaded. */
export function connectToTab(device: TabDevice): TabConnection {
  const worker = new Worker(new URL('../worker/worker.ts', import.meta.url), { type: 'module' });
  const post = (message: ToWorker) => worker.postMessage(message);
  const progress = signal(0);
  const pending = new Map<number, Pending>();
  let failure: Failure | null = null;
  let count = 0;

  const fail = (message: string) => {
    failure = new Failure(message);
    for (const { reject, body } of pending.values()) {
      reject(failure);
      body?.error(failure);
    }
    pending.clear();
  };
  const leave = (id: number) => {
    if (pending.delete(id)) post({ type: 'abort', id });
  };
  const receive = (data: Extract<FromWorker, { id: number }>) => {
    const waiting = pending.get(data.id);
    if (waiting === undefined) return;
    if (data.type === 'response') {
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          waiting.body = controller;
        },
        cancel: () => leave(data.id),
      });
      waiting.resolve(new Response(body, { status: data.status }));
    } else if (data.type === 'chunk') {
      waiting.body?.enqueue(data.bytes);
    } else {
      waiting.body?.close();
      pending.delete(data.id);
    }
  };
  worker.onerror = (event) => fail(event.message || 'the worker of this tab failed');
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data.type === 'progress') progress.value = data.share;
    else if (data.type === 'failed') fail(data.message);
    else receive(data);
  };
  post({
    type: 'open',
    device,
    model: new URL('model/', document.baseURI).href,
    headers: keyHeader(),
  });

  return {
    progress,
    fetch(path, { body, signal } = {}) {
      if (failure !== null) return Promise.reject(failure);
      const id = count++;
      const { promise, resolve, reject } = Promise.withResolvers<Response>();
      pending.set(id, { resolve, reject, body: null });
      signal?.addEventListener('abort', () => {
        const { body } = pending.get(id) ?? {};
        leave(id);
        reject(signal.reason);
        body?.error(signal.reason);
      });
      post({ type: 'fetch', id, path, body: body ?? null });
      return promise;
    },
    close() {
      worker.terminate();
      fail('the tab’s own model was switched off');
    },
  };
}

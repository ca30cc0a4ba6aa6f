import { startWorker } from '../../device/wasm/platform.ts';
import type { EngineOptions } from '../../engine/engine-options.ts';
import { moduleBeside } from '../../module-beside.ts';
import { type FromEngine, receivedError } from './messages.ts';
import { RemoteEngine } from './remote-engine.ts';

/** What the worker is told first. */
export interface StartMessage {
  /** As for `createDevice`. */
  device: string;
  threads?: number;
  /** The checkpoint's directory, and the name of its weights. */
  model: string;
  version: string;
  /** The vocabulary is the checkpoint's. */
  options: Omit<EngineOptions, 'vocabSize'>;
}

export interface StartHandlers {
  /** Gets what the user should know of the model. */
  notice(line: string): void;
  /** Is called when the engine has stopped, with what its requests are told. */
  failure(reason: string): void;
}

export interface StartedEngine {
  engine: RemoteEngine;
  /** What it runs on. */
  description: string;
  /** Ends its requests, then its thread. */
  end(): Promise<void>;
}

/**
 * Starts an engine in a worker of its own.
 *
 * @throws UserError if the device cannot be had or the model does not load
 */
export async function startEngine(
  message: StartMessage,
  { notice, failure }: StartHandlers,
): Promise<StartedEngine> {
  const started = Promise.withResolvers<StartedEngine>();
  let engine: RemoteEngine | null = null;
  const worker = startWorker(moduleBeside('./engine-worker', import.meta.url), {
    message: (received) => {
      const message = received as FromEngine;
      if (message.type === 'ready') {
        const { fixed, state, description } = message;
        const remote = new RemoteEngine(fixed, state, worker.post);
        const end = async () => {
          await remote.release();
          await worker.terminate();
        };
        engine = remote;
        started.resolve({ engine, description, end });
      } else if (message.type === 'notice') {
        notice(message.line);
      } else if (message.type === 'not-started') {
        started.reject(receivedError(message.error));
      } else {
        engine?.receive(message);
      }
    },
    failure: (error) => {
      started.reject(error);
      // It fails once for its error and once for its end.
      if (!engine || engine.failure !== null) return;
      engine.fail(error);
      failure(engine.failure!);
    },
  });
  worker.post(message);
  try {
    return await started.promise;
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

/**
 * Makes samples of tasks on threads of their own, so that generating, rendering and encoding never
 * hold up the thread that feeds a GPU. Sample number i is the same whichever thread makes it.
 */
import { Worker } from 'node:worker_threads';
import { endThread } from '../end-thread.ts';
import { moduleBeside } from '../module-beside.ts';
import type { Mixture } from '../tasks/index.ts';
import type { Sample } from './documents.ts';
import type { SampleReference, SampleSource } from './sample-stream.ts';
import type { TaskSourceOptions } from './task-source.ts';

/** What a worker is started with. */
export interface TaskWorkerData {
  sources: SentOptions[];
  /** Tokenizer and chat template, by file name. */
  files: Record<string, string>;
}

/** Families go by name: their functions cannot be sent. */
export type SentOptions = Omit<TaskSourceOptions, 'mixture'> & {
  mixture: Omit<Mixture, 'families'> & { families: { name: string; weight: number }[] };
};

export type TaskWorkerReply = { reference: SampleReference } & (
  | { sample: Sample }
  | { error: unknown }
);

export class TaskWorkers {
  readonly #workers: Worker[];
  readonly #waiting = new Map<string, PromiseWithResolvers<Sample>>();
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;

  /** @param files tokenizer and chat template, by file name */
  constructor(
    sources: readonly TaskSourceOptions[],
    files: Record<string, string>,
    threads: number,
  ) {
    const workerData: TaskWorkerData = { sources: sources.map(sent), files };
    const url = moduleBeside('./task-worker', import.meta.url);
    this.#workers = Array.from({ length: threads }, () => new Worker(url, { workerData }));
    for (const worker of this.#workers) {
      worker.on('message', (reply: TaskWorkerReply) => this.#receive(reply));
      worker.on('error', (error) => this.#fail(error));
      worker.on('exit', (code) => this.#fail(new Error(`a data thread ended (code ${code})`)));
      // What waits for a sample keeps the process alive, not the threads.
      worker.unref();
    }
  }

  /** One of the sources. Closing any of them ends the threads of all. */
  source(number: number): SampleSource {
    return {
      where: (index) => `task problem ${index}`,
      sample: (index) => this.#sample({ source: number, index }),
      close: () => this.#close(),
    };
  }

  #sample(reference: SampleReference): Promise<Sample> {
    if (this.#failure) return Promise.reject(this.#failure);
    const key = keyOf(reference);
    const waiting = this.#waiting.get(key);
    if (waiting) return waiting.promise;
    const result = Promise.withResolvers<Sample>();
    this.#waiting.set(key, result);
    if (this.#waiting.size === 1) for (const worker of this.#workers) worker.ref();
    this.#workers[reference.index % this.#workers.length]!.postMessage(reference);
    return result.promise;
  }

  #close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    await Promise.all(this.#workers.map(endThread));
    this.#fail(new Error('the data threads have been closed'));
  }

  #receive(reply: TaskWorkerReply): void {
    const key = keyOf(reply.reference);
    const result = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (this.#waiting.size === 0) for (const worker of this.#workers) worker.unref();
    if ('sample' in reply) result?.resolve(reply.sample);
    else result?.reject(reply.error);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const result of this.#waiting.values()) result.reject(this.#failure);
    this.#waiting.clear();
  }
}

function keyOf({ source, index }: SampleReference): string {
  return `${source} ${index}`;
}

function sent({ mixture, ...options }: TaskSourceOptions): SentOptions {
  const families = mixture.families.map(({ family, weight }) => ({ name: family.name, weight }));
  return { ...options, mixture: { ...mixture, families } };
}

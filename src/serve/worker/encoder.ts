/**
 * Encodes long texts in a thread of its own. Merging the words of 4 MB takes seconds, in which the
 * thread that serves HTTP would send no token of any stream.
 */
import { Worker } from 'node:worker_threads';
import { UserError } from '../../errors.ts';
import { moduleBeside } from '../../module-beside.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import { type Encode, encodeHere } from '../encode.ts';

/** What the thread is asked; it answers in order, with one `Int32Array` for each text. */
export interface EncodeTask {
  texts: readonly string[];
  limit: number;
}

/** Characters of a request's texts that are encoded at once: they take a few milliseconds. */
const SHORT = 1 << 15;

export class Encoder {
  readonly #encodeHere: Encode;
  readonly #worker: Worker;
  readonly #waiting: PromiseWithResolvers<number[][]>[] = [];
  #failure: UserError | null = null;

  /** @param files those that the tokenizer was read from, by name. */
  constructor(tokenizer: Tokenizer, files: Record<string, string>) {
    this.#encodeHere = encodeHere(tokenizer);
    const url = moduleBeside('./encoder-worker', import.meta.url);
    this.#worker = new Worker(url, { workerData: files });
    this.#worker.on('message', (lists: Int32Array[]) =>
      this.#waiting.shift()!.resolve(lists.map((ids) => Array.from(ids))),
    );
    this.#worker.on('error', (error) => this.#fail(error.message));
    this.#worker.on('exit', (code) => this.#fail(`a worker thread ended (code ${code})`));
  }

  /** @throws {UserError} if the texts are long and the thread is no more. */
  readonly encode: Encode = async (texts, limit = Number.POSITIVE_INFINITY) => {
    const length = texts.reduce((sum, text) => sum + text.length, 0);
    if (length <= SHORT) return this.#encodeHere(texts, limit);
    if (this.#failure !== null) throw this.#failure;
    const result = Promise.withResolvers<number[][]>();
    this.#waiting.push(result);
    const task: EncodeTask = { texts, limit };
    this.#worker.postMessage(task);
    return result.promise;
  };

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(reason: string): void {
    this.#failure ??= new UserError(
      `the thread that encodes long texts has stopped: ${reason}; restart the server`,
    );
    for (const result of this.#waiting.splice(0)) result.reject(this.#failure);
  }
}

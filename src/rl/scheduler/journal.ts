/**
 * Where a scheduler's events are kept: a file that is appended to and, when a checkpoint has seen
 * batches, written anew without them in one step. What a kill leaves unfinished is its last line.
 */
import fs from 'node:fs/promises';
import { AtomicFile } from '../../checkpoint/atomic.ts';
import { asUserError, errorCode } from '../../checkpoint/file-errors.ts';
import { UserError } from '../../errors.ts';
import { decodeEvent, encodeEvent } from './encoding.ts';
import type { SchedulerEvent } from './events.ts';

export interface Journal {
  /** What is there; before anything is written. */
  read(): AsyncIterable<SchedulerEvent>;
  /** In order. What fails is thrown by the next `flush`. */
  append(event: SchedulerEvent): void;
  /** Everything before is on the disk when it returns. */
  flush(): Promise<void>;
  /** Puts `events` in the place of all before. */
  rewrite(events: readonly SchedulerEvent[]): Promise<void>;
  close(): Promise<void>;
}

export class JournalFile implements Journal {
  readonly #path: string;
  #handle: fs.FileHandle | null = null;
  /** Bytes of whole lines. */
  #length = 0;
  /** Ends when everything so far is written. */
  #work: Promise<void> = Promise.resolve();
  /** Of the last write, if it has not begun: what is appended meanwhile goes along. */
  #lines: string[] | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  async *read(): AsyncGenerator<SchedulerEvent> {
    let number = 0;
    for await (const { bytes, isWhole } of lines(this.#path)) {
      number++;
      if (!isWhole) return;
      this.#length += bytes.length + 1;
      yield this.#decode(bytes, number);
    }
  }

  append(event: SchedulerEvent): void {
    const line = `${encodeEvent(event)}\n`;
    if (this.#lines) {
      this.#lines.push(line);
      return;
    }
    const lines = [line];
    this.#enqueue(async () => {
      if (this.#lines === lines) this.#lines = null;
      this.#handle ??= await this.#open();
      const bytes = Buffer.from(lines.join(''));
      await this.#handle.appendFile(bytes);
      this.#length += bytes.length;
    });
    this.#lines = lines;
  }

  async flush(): Promise<void> {
    this.#enqueue(async () => this.#handle?.sync());
    await this.#work;
  }

  async rewrite(events: readonly SchedulerEvent[]): Promise<void> {
    this.#enqueue(async () => {
      const file = await AtomicFile.create(this.#path);
      let length = 0;
      try {
        for (const event of events) {
          const bytes = Buffer.from(`${encodeEvent(event)}\n`);
          await file.write(bytes, length);
          length += bytes.length;
        }
        await file.commit();
      } catch (error) {
        await file.discard();
        throw error;
      }
      await this.#handle?.close();
      this.#handle = null;
      this.#length = length;
    });
    await this.#work;
  }

  async close(): Promise<void> {
    await this.flush().finally(() => this.#handle?.close());
  }

  /** One after another; after the first that failed no other is begun. */
  #enqueue(work: () => Promise<void>): void {
    this.#lines = null;
    this.#work = this.#work.then(async () => {
      try {
        await work();
      } catch (error) {
        throw asUserError(error, `cannot write ${this.#path}`, 'what is in it is intact');
      }
    });
    this.#work.catch(() => {});
  }

  async #open(): Promise<fs.FileHandle> {
    const handle = await fs.open(this.#path, 'a');
    // A line that was being written when the process ended.
    await handle.truncate(this.#length);
    return handle;
  }

  #decode(bytes: Uint8Array, number: number): SchedulerEvent {
    try {
      return decodeEvent(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    } catch (error) {
      throw new UserError(
        `${this.#path}:${number}: is damaged; remove the file to go on without what was sampled`,
        { cause: error },
      );
    }
  }
}

/** Of a file that may not be there; the last one is not whole if no end of line follows. */
async function* lines(path: string): AsyncGenerator<{ bytes: Uint8Array; isWhole: boolean }> {
  const handle = await fs.open(path).catch((error) => {
    if (errorCode(error) === 'ENOENT') return null;
    throw asUserError(error, `cannot read ${path}`);
  });
  if (!handle) return;
  let held: Buffer[] = [];
  for await (const chunk of handle.createReadStream()) {
    let rest = chunk as Buffer;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      yield { bytes: Buffer.concat([...held, rest.subarray(0, end)]), isWhole: true };
      held = [];
      rest = rest.subarray(end + 1);
    }
    if (rest.length > 0) held.push(rest);
  }
  if (held.length > 0) yield { bytes: Buffer.concat(held), isWhole: false };
}

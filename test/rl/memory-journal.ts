import { decodeEvent, encodeEvent } from '../../src/rl/scheduler/encoding.ts';
import type { SchedulerEvent } from '../../src/rl/scheduler/events.ts';
import type { Journal } from '../../src/rl/scheduler/journal.ts';

/** What outlives a process that is killed. */
export class Disk {
  lines: string[] = [];
  /** All that was ever written, whether or not it is still needed. */
  readonly written: SchedulerEvent[] = [];
}

/**
 * A journal that is cut off after some number of writes, as by a kill; with `loses`, as by a power cut,
 * which also takes what was not flushed.
 */
export class MemoryJournal implements Journal {
  readonly #disk: Disk;
  readonly #isKilled: Promise<void>;
  #kill: () => void = () => {};
  #left: number;
  readonly #loses: boolean;
  /** Lines that nothing can take away. */
  #safe: number;

  constructor(disk: Disk, writes = Infinity, loses = false) {
    this.#disk = disk;
    this.#left = writes;
    this.#loses = loses;
    this.#safe = disk.lines.length;
    this.#isKilled = new Promise((resolve) => {
      this.#kill = resolve;
    });
  }

  get killed(): Promise<void> {
    return this.#isKilled;
  }

  async *read(): AsyncGenerator<SchedulerEvent> {
    for (const line of this.#disk.lines) yield decodeEvent(line);
  }

  append(event: SchedulerEvent): void {
    const line = encodeEvent(event);
    if (!this.#write()) return;
    this.#disk.lines.push(line);
    this.#disk.written.push(decodeEvent(line));
  }

  async flush(): Promise<void> {
    if (this.#left > 0) this.#safe = this.#disk.lines.length;
    await this.#orNever();
  }

  async rewrite(events: readonly SchedulerEvent[]): Promise<void> {
    const lines = events.map(encodeEvent);
    if (this.#write()) {
      this.#disk.lines = lines;
      this.#safe = lines.length;
    }
    await this.#orNever();
  }

  async close(): Promise<void> {}

  #write(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    if (this.#left > 0) return true;
    if (this.#loses) {
      const lost = this.#disk.lines.splice(this.#safe);
      this.#disk.written.splice(this.#disk.written.length - lost.length);
    }
    this.#kill();
    return false;
  }

  /** A process that was killed sees nothing any more. */
  async #orNever(): Promise<void> {
    if (this.#left === 0) await new Promise(() => {});
  }
}

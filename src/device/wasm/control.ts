import { mayWait } from './platform.ts';
import { type KernelFunction, Memory } from './webassembly.ts';

/**
 * How threads share one launch: a block of shared integers, the same on the calling thread and the
 * workers. The caller writes a description of the launch and then a ticket, generation · 2¹² +
 * chunks left; whoever lowers the ticket by compare-and-swap owns that chunk. A swap succeeds only
 * while the launch of that generation has chunks left, and while it has the caller waits; so a worker
 * that read the description before its swap read the right one, and a worker that is asleep, late or
 * dead delays nobody: the others take all chunks.
 */
const generation = 0; // Workers wait on it; its own cache line, as for all that threads contend for.
const ticket = 16;
const completed = 32; // Chunks done; the caller waits on it.
const callerWaits = 48;
const sleepers = 64;
const mail = 80; // Messages posted to the workers.
const failed = 81; // Set once a kernel has trapped on a worker.
const kernel = 96;
const heap = 97;
const items = 98;
const grain = 99;
const chunks = 100;
const argumentCount = 101;
const integerCount = 112;
const maximumArguments = 64;

const chunkBits = 12;
export const maximumChunks = 2 ** chunkBits - 1;
const generationMask = 2 ** (32 - chunkBits) - 1;

/**
 * Long enough to catch the next launch of a running step, also when the caller has done one alone and the
 * host's work between two steps; short enough to cost an idle device nothing.
 */
const spinMilliseconds = 0.25;
/** A chunk takes milliseconds; a worker silent for this long is gone. */
const stalledMilliseconds = 60_000;

export interface Launch {
  kernel: number;
  heap: number;
  arguments: readonly number[];
  items: number;
  grain: number;
  chunks: number;
}

export class Control {
  readonly buffer: SharedArrayBuffer;
  readonly #integers: Int32Array<SharedArrayBuffer>;
  readonly #arguments: Float64Array<SharedArrayBuffer>;
  /** Worker: the generation it last acted on. */
  #generationSeen = 0;

  constructor(buffer = sharedPage()) {
    this.buffer = buffer;
    this.#integers = new Int32Array(buffer, 0, integerCount);
    this.#arguments = new Float64Array(buffer, integerCount * 4, maximumArguments);
  }

  /** Caller: makes a launch visible and wakes workers that sleep. */
  publish(launch: Launch): void {
    const { length } = launch.arguments;
    if (length > maximumArguments) throw new Error(`a kernel with ${length} arguments`);
    const integers = this.#integers;
    integers[kernel] = launch.kernel;
    integers[heap] = launch.heap;
    integers[items] = launch.items;
    integers[grain] = launch.grain;
    integers[chunks] = launch.chunks;
    integers[argumentCount] = length;
    for (let i = 0; i < length; i++) this.#arguments[i] = launch.arguments[i]!;
    const next = (integers[generation]! + 1) & generationMask;
    Atomics.store(integers, completed, 0);
    Atomics.store(integers, ticket, (next << chunkBits) | launch.chunks);
    Atomics.store(integers, generation, next);
    if (Atomics.load(integers, sleepers) > 0)
      Atomics.notify(integers, generation, launch.chunks - 1);
  }

  /** Caller: waits until every chunk is done. */
  join(launch: Launch): void {
    const integers = this.#integers;
    let seen = Atomics.load(integers, completed);
    if (seen === launch.chunks) return;
    let lastProgress = performance.now();
    const spinUntil = lastProgress + spinMilliseconds;
    while (seen !== launch.chunks) {
      if (performance.now() < spinUntil || !mayWait) {
        pause();
      } else {
        Atomics.store(integers, callerWaits, 1);
        Atomics.wait(integers, completed, seen, 1000);
        Atomics.store(integers, callerWaits, 0);
      }
      const before = seen;
      seen = Atomics.load(integers, completed);
      if (seen !== before) lastProgress = performance.now();
      else if (performance.now() - lastProgress > stalledMilliseconds) {
        throw new Error('a worker thread of the wasm device has stopped');
      }
    }
  }

  /** Caller: says that a message is on its way, so that workers go and fetch it. */
  announceMail(): void {
    Atomics.add(this.#integers, mail, 1);
    Atomics.add(this.#integers, generation, 1);
    Atomics.notify(this.#integers, generation);
  }

  /** Whether a kernel has trapped on a worker. */
  get failed(): boolean {
    return Atomics.load(this.#integers, failed) !== 0;
  }

  /**
   * Any thread: takes chunks of the current launch and runs them until none is left. `kernelsOf`
   * gives the kernels over a heap; undefined if the thread does not have that heap yet.
   */
  work(thread: number, kernelsOf: (heap: number) => readonly KernelFunction[] | undefined): void {
    const integers = this.#integers;
    const current = Atomics.load(integers, generation);
    // Until the swap below succeeds all of this may be half of one launch and half of the next.
    const run = kernelsOf(integers[heap]!)?.[integers[kernel]!];
    if (!run) return;
    const count = integers[argumentCount]!;
    const parameters: number[] = [];
    for (let i = 0; i < count; i++) parameters.push(this.#arguments[i]!);
    parameters.push(0, 0, thread);
    const total = integers[items]!;
    const step = integers[grain]!;
    const all = integers[chunks]!;

    let done = 0;
    for (;;) {
      const seen = Atomics.load(integers, ticket);
      const left = seen & maximumChunks;
      if (seen >>> chunkBits !== current || left === 0) break;
      if (Atomics.compareExchange(integers, ticket, seen, seen - 1) !== seen) continue;
      const begin = (all - left) * step;
      parameters[count] = begin;
      parameters[count + 1] = Math.min(begin + step, total);
      try {
        run(...parameters);
      } catch (error) {
        this.#complete(done + 1 + this.#abandon(current), all);
        throw error;
      }
      done++;
    }
    if (done > 0) this.#complete(done, all);
  }

  /** Worker: waits until the caller has done something; false if there is mail to fetch first. */
  waitForWork(mailSeen: number): boolean {
    const integers = this.#integers;
    const seen = this.#generationSeen;
    const spinUntil = performance.now() + spinMilliseconds;
    while (Atomics.load(integers, generation) === seen && performance.now() < spinUntil) pause();
    if (Atomics.load(integers, generation) === seen) {
      Atomics.add(integers, sleepers, 1);
      Atomics.wait(integers, generation, seen);
      Atomics.sub(integers, sleepers, 1);
    }
    this.#generationSeen = Atomics.load(integers, generation);
    return Atomics.load(integers, mail) === mailSeen;
  }

  /** Worker: says that a kernel has trapped. */
  fail(): void {
    Atomics.store(this.#integers, failed, 1);
  }

  /** Takes the chunks that are left without running them. */
  #abandon(current: number): number {
    const integers = this.#integers;
    for (;;) {
      const seen = Atomics.load(integers, ticket);
      if (seen >>> chunkBits !== current) return 0;
      const left = seen & maximumChunks;
      if (Atomics.compareExchange(integers, ticket, seen, seen - left) === seen) return left;
    }
  }

  #complete(count: number, all: number): void {
    const integers = this.#integers;
    const now = Atomics.add(integers, completed, count) + count;
    if (now === all && Atomics.load(integers, callerWaits) === 1) {
      Atomics.notify(integers, completed);
    }
  }
}

/** A page whose threads may not share memory has shared memories of WebAssembly still, but no other. */
function sharedPage(): SharedArrayBuffer {
  return new Memory({ initial: 1, maximum: 1, shared: true }).buffer;
}

// A hint to the processor that this is a spin, where the engine has it (ES2026).
const pause = (Atomics as { pause?: () => void }).pause ?? (() => {});

import { mayWait } from './platform.ts';
import { type KernelFunction, Memory } from './webassembly.ts';

/**
 * How threads share one launch: a block of shared integers, the same on the calling thread and the
 * workers. The caller writes a description of the launch and then a ticket: its heap, the first chunk
 * that is left and the end of these. Whoever takes a chunk off the ticket by compare-and-swap owns it, and
 * until that is done the caller waits; so the description that is read after a swap is the right one, and
 * a worker that is asleep, late or dead delays nobody: the others take all chunks.
 *
 * Threads of even number take the first chunk that is left, the others the last. So each reads on where it
 * was, which is where the processor has fetched ahead, and of weights that are read again soon two threads
 * find about the same halves in their own caches.
 */
const generation = 0; // Workers wait on it; its own cache line, as for all that threads contend for.
const ticket = 16;
const completed = 32; // Chunks done; the caller waits on it.
const callerWaits = 48;
const sleepers = 64;
const mail = 80; // Messages posted to the workers.
const failed = 81; // Set once a kernel has trapped on a worker.
const kernel = 96;
const items = 97;
const grain = 98;
const chunks = 99;
const argumentCount = 100;
const integerCount = 112;
const maximumArguments = 64;

const chunkBits = 9;
export const maximumChunks = 2 ** chunkBits - 1;
/** What taking the first chunk adds to a ticket; taking the last one subtracts 1. */
const firstChunk = 2 ** chunkBits;
const heapOf = (seen: number) => seen >>> (2 * chunkBits);
const firstOf = (seen: number) => (seen >>> chunkBits) & maximumChunks;
const endOf = (seen: number) => seen & maximumChunks;

/**
 * Long enough to catch the next launch of a running step, also when the caller has done one alone and the
 * host's work between two steps; short enough to cost an idle device nothing.
 */
const spinMilliseconds = 0.5;
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
  /** Of the launch that this thread takes part in; (…arguments, begin, end, thread). */
  readonly #parameters: number[] = [];
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
    integers[items] = launch.items;
    integers[grain] = launch.grain;
    integers[chunks] = launch.chunks;
    integers[argumentCount] = length;
    for (let i = 0; i < length; i++) this.#arguments[i] = launch.arguments[i]!;
    Atomics.store(integers, completed, 0);
    Atomics.store(integers, ticket, (launch.heap << (2 * chunkBits)) | launch.chunks);
    Atomics.add(integers, generation, 1);
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
    const change = thread % 2 === 0 ? firstChunk : -1;
    const parameters = this.#parameters;
    let run: KernelFunction | undefined;
    let done = 0;
    for (;;) {
      const seen = Atomics.load(integers, ticket);
      if (firstOf(seen) === endOf(seen)) break;
      const kernels = kernelsOf(heapOf(seen));
      if (!kernels) break;
      if (Atomics.compareExchange(integers, ticket, seen, seen + change) !== seen) continue;
      if (!run) {
        run = kernels[integers[kernel]!]!;
        this.#readArguments(thread);
      }
      const begin = (change > 0 ? firstOf(seen) : endOf(seen) - 1) * integers[grain]!;
      parameters[parameters.length - 3] = begin;
      parameters[parameters.length - 2] = Math.min(begin + integers[grain]!, integers[items]!);
      try {
        run(...parameters);
      } catch (error) {
        this.#complete(done + 1 + this.#abandon());
        throw error;
      }
      done++;
    }
    if (done > 0) this.#complete(done);
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

  #readArguments(thread: number): void {
    const count = this.#integers[argumentCount]!;
    const parameters = this.#parameters;
    parameters.length = count + 3;
    for (let i = 0; i < count; i++) parameters[i] = this.#arguments[i]!;
    parameters[count + 2] = thread;
  }

  /** Takes the chunks that are left without running them. */
  #abandon(): number {
    const seen = Atomics.exchange(this.#integers, ticket, 0);
    return endOf(seen) - firstOf(seen);
  }

  #complete(count: number): void {
    const integers = this.#integers;
    const all = integers[chunks]!;
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

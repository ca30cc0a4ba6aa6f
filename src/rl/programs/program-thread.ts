/**
 * A thread that does one job after another, and is ended when one takes too long: what never yields its
 * thread can be ended in no other way. Then a fresh one goes on with the jobs that wait.
 */
import { Worker } from 'node:worker_threads';
import { endThread } from '../../end-thread.ts';
import { moduleBeside } from '../../module-beside.ts';
import type { Clock } from '../clock.ts';
import { type FailureKind, SequenceFailure } from '../sequence-failure.ts';
import type { ProgramReply, ProgramRequest } from './messages.ts';

export interface ProgramLimits {
  /** Of a job, in milliseconds. */
  milliseconds: number;
  /** What a job that takes longer counts as, and one that fails otherwise. */
  late: FailureKind;
  failed: FailureKind;
}

interface Job {
  request: ProgramRequest;
  limits: ProgramLimits;
  result: PromiseWithResolvers<ProgramReply>;
}

/** What it may hold, in MiB; a program that takes more ends its thread and not the run. */
const MEMORY = 512;

export class ProgramThread {
  readonly #clock: Clock;
  #worker: Worker | null = null;
  #isReady = false;
  #queue: Job[] = [];
  #current: Job | null = null;
  #cancelTimer: () => void = () => {};
  #generation = 0;
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Jobs that are not done. */
  get load(): number {
    return this.#queue.length + (this.#current ? 1 : 0);
  }

  /** One more with each thread that was ended; sessions are gone with theirs. */
  get generation(): number {
    return this.#generation;
  }

  /** @throws SequenceFailure if the job takes too long, throws, or its session is gone */
  async run(request: ProgramRequest, limits: ProgramLimits): Promise<ProgramReply> {
    if (this.#isClosed) throw new Error('the threads of programs are closed');
    const result = Promise.withResolvers<ProgramReply>();
    this.#queue.push({ request, limits, result });
    this.#goOn();
    return result.promise;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const closed = new Error('the threads of programs are closed');
    const jobs = [...(this.#current ? [this.#current] : []), ...this.#queue.splice(0)];
    const ended = this.#end();
    for (const { result } of jobs) result.reject(closed);
    await ended;
  }

  #goOn(): void {
    if (this.#queue.length === 0 && !this.#current) {
      // What waits for an answer keeps the process alive, not the thread.
      this.#worker?.unref();
      return;
    }
    this.#worker ??= this.#start();
    this.#worker.ref();
    if (!this.#isReady || this.#current) return;
    const job = this.#queue.shift()!;
    this.#current = job;
    const { milliseconds, late } = job.limits;
    this.#cancelTimer = this.#clock.after(milliseconds, () => {
      this.#fail(new SequenceFailure(late, `a program did not end in ${milliseconds / 1000} s`));
    });
    this.#worker.postMessage(job.request);
  }

  #start(): Worker {
    const url = moduleBeside('./program-worker', import.meta.url);
    const worker = new Worker(url, { resourceLimits: { maxOldGenerationSizeMb: MEMORY } });
    worker.on('message', (reply: ProgramReply) => this.#receive(reply));
    const ended = (message: string) => {
      const kind = (this.#current ?? this.#queue[0])?.limits.failed ?? 'tool';
      this.#fail(new SequenceFailure(kind, message));
    };
    worker.on('error', (error) => ended(`the thread of programs failed: ${error.message}`));
    worker.on('exit', (code) => ended(`the thread of programs ended (code ${code})`));
    return worker;
  }

  #receive(reply: ProgramReply): void {
    if (reply.type === 'ready') {
      this.#isReady = true;
    } else {
      const { result, limits } = this.#current!;
      this.#current = null;
      this.#cancelTimer();
      if (reply.type === 'error') result.reject(new SequenceFailure(limits.failed, reply.message));
      else result.resolve(reply);
    }
    this.#goOn();
  }

  /** The job under way, or the next if the thread does not even start, has failed. */
  #fail(failure: SequenceFailure): void {
    const failed = this.#current ?? this.#queue.shift();
    void this.#end();
    failed?.result.reject(failure);
    const isOfSession = ({ request }: Job) => request.type !== 'verify';
    const lost = this.#queue.filter(isOfSession);
    this.#queue = this.#queue.filter((job) => !isOfSession(job));
    for (const { result, limits } of lost) result.reject(sessionLost(limits));
    this.#goOn();
  }

  async #end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    this.#isReady = false;
    this.#current = null;
    this.#generation++;
    this.#cancelTimer();
    if (worker) await endThread(worker);
  }
}

/** Where another's program has ended the thread that a session lived in. */
export function sessionLost({ failed }: ProgramLimits): SequenceFailure {
  return new SequenceFailure(failed, 'its thread was ended for what another did in it');
}

/**
 * Threads in which the programs that models write are run: shells, functions under test, and the verifiers
 * that run them again. So rewards are computed while the device works and others are sampled, and one that
 * hangs is ended; in the thread that trains it could only be waited for.
 *
 * A problem keeps its form: what is run elsewhere are its `verify` and its tools, and nobody else notices.
 */
import { FAMILIES, type Problem, type ToolSession } from '../../tasks/index.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { ProblemReference, ProgramReply, ProgramRequest } from './messages.ts';
import { type ProgramLimits, ProgramThread, sessionLost } from './program-thread.ts';

export interface ProgramThreadsOptions {
  threads: number;
  /** Of a verifier, and of a call of a tool, in milliseconds. */
  verifyTimeout: number;
  callTimeout: number;
  clock?: Clock;
}

export class ProgramThreads {
  readonly #threads: ProgramThread[];
  readonly #verify: ProgramLimits;
  readonly #call: ProgramLimits;
  #sessions = 0;

  /** Threads start when there is something for them to do. */
  constructor({ threads, verifyTimeout, callTimeout, clock = systemClock }: ProgramThreadsOptions) {
    this.#threads = Array.from({ length: threads }, () => new ProgramThread(clock));
    this.#verify = { milliseconds: verifyTimeout, late: 'reward-timeout', failed: 'reward' };
    this.#call = { milliseconds: callTimeout, late: 'tool-timeout', failed: 'tool' };
  }

  /** The problem with its programs elsewhere; as it is if it runs none. */
  problem(problem: Problem, reference: ProblemReference): Problem {
    const family = FAMILIES.find(({ name }) => name === problem.family);
    if (!family?.runsPrograms || this.#threads.length === 0) return problem;
    return {
      ...problem,
      verify: async (response) => {
        const request = { type: 'verify', problem: reference, response } as const;
        return replyOf('verdict', await this.#idlest.run(request, this.#verify)).verdict;
      },
      ...(problem.openTools && { openTools: () => this.#session(reference) }),
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  get #idlest(): ProgramThread {
    return this.#threads.reduce((best, thread) => (thread.load < best.load ? thread : best));
  }

  #session(problem: ProblemReference): ToolSession {
    const session = this.#sessions++;
    const limits = this.#call;
    // In turn: a session is idle most of its time, so how busy a thread is now says little.
    const thread = this.#threads[session % this.#threads.length]!;
    let generation: number | null = null;
    let finished = false;
    const run = async (request: ProgramRequest) => {
      generation ??= thread.generation;
      if (generation !== thread.generation) throw sessionLost(limits);
      return thread.run(request, limits);
    };
    return {
      get finished() {
        return finished;
      },
      async call(call) {
        const reply = replyOf('output', await run({ type: 'call', session, problem, call }));
        finished = reply.finished;
        return reply.output;
      },
      async close() {
        if (generation === thread.generation) await run({ type: 'close', session });
      },
    };
  }
}

function replyOf<Type extends ProgramReply['type']>(
  type: Type,
  reply: ProgramReply,
): Extract<ProgramReply, { type: Type }> {
  if (reply.type !== type) throw new Error(`a thread answered ${reply.type} for ${type}`);
  return reply as Extract<ProgramReply, { type: Type }>;
}

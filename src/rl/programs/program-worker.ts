/** The thread itself: makes problems anew, judges answers to them, and is where their tools live. */
import { parentPort } from 'node:worker_threads';
import type { Problem, ToolSession } from '../../tasks/index.ts';
import { taskPrompts } from '../prompts/task-prompts.ts';
import type { PromptSource } from '../scheduler/types.ts';
import {
  type ProblemReference,
  type ProgramReply,
  type ProgramRequest,
  receivedMixture,
} from './messages.ts';

const sources = new Map<string, PromptSource>();
const sessions = new Map<number, ToolSession>();

async function problemOf({ prompts, index }: ProblemReference): Promise<Problem> {
  const key = JSON.stringify(prompts);
  const { seed, split, mixture } = prompts;
  const source = sources.get(key) ?? taskPrompts(seed, split, receivedMixture(mixture));
  sources.set(key, source);
  return (await source.prompt(index)).problem;
}

async function answer(request: ProgramRequest): Promise<ProgramReply> {
  switch (request.type) {
    case 'verify': {
      const problem = await problemOf(request.problem);
      return { type: 'verdict', verdict: await problem.verify(request.response) };
    }
    case 'call': {
      const { session: id, problem, call } = request;
      const session = sessions.get(id) ?? (await problemOf(problem)).openTools!();
      sessions.set(id, session);
      const output = await session.call(call);
      return { type: 'output', output, finished: session.finished };
    }
    case 'close':
      sessions.delete(request.session);
      return { type: 'closed' };
  }
}

// So that the first program has no longer to wait than the others. If one cannot be loaded, what needs it
// will say so.
await Promise.allSettled([import('just-bash'), import('quickjs-emscripten')]);
parentPort!.on('message', async (request: ProgramRequest) => {
  const reply = await answer(request).catch((error: unknown): ProgramReply => {
    return { type: 'error', message: error instanceof Error ? error.message : String(error) };
  });
  parentPort!.postMessage(reply);
});
parentPort!.postMessage({ type: 'ready' } satisfies ProgramReply);

/**
 * Work in a shell: finding, counting and editing, over several turns of calls and their outputs. What
 * counts is what a fresh sandbox holds after the same calls; outputs in a response are not trusted.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ChatMessage } from '../../text/chat-messages.ts';
import { type Response, readTurns } from '../response.ts';
import type { Language, TaskFamily } from '../task.ts';
import { CORRECT, expected, type Verdict, wrong } from '../verdict.ts';
import { randomJob } from './jobs.ts';
import { SHELL_TOOLS, ShellSession } from './sandbox.ts';
import type { Job } from './steps.ts';

/** Calls that a response may make. */
const MOST_CALLS = 20;

export const shell: TaskFamily = {
  name: 'shell',
  description: 'finds, counts and edits files in a bash sandbox, in several turns of tool calls',
  runsPrograms: true,
  generate(random, { language, level, thinking }) {
    const job = randomJob(random, level);
    return {
      family: 'shell',
      key: `shell ${job.ask.en}`,
      messages: [{ role: 'user', content: job.ask[language] }],
      tools: SHELL_TOOLS,
      thinking,
      solution: solutionOf(job, language, thinking),
      verify: (response) => judge(job, response),
      openTools: () => new ShellSession(job.before),
    };
  },
};

function solutionOf(job: Job, language: Language, thinking: boolean): ChatMessage[] {
  const call = (name: string, given: Record<string, string>, thought: string): ChatMessage => ({
    role: 'assistant',
    content: '',
    ...(thinking && { reasoning_content: thought }),
    tool_calls: [{ function: { name, arguments: given } }],
  });
  const answer = job.answer ?? DONE[language];
  return [
    ...job.steps.flatMap((step): ChatMessage[] => [
      call(step.name, step.arguments, step.thought[language]),
      { role: 'tool', content: step.output },
    ]),
    call('finish', { answer }, job.conclusion?.[language] ?? ''),
  ];
}

const DONE: Record<Language, string> = { en: 'done', zh: '完成' };

async function judge({ before, after, answer }: Job, response: Response): Promise<Verdict> {
  const session = new ShellSession(before);
  const calls = readTurns(response, SHELL_TOOLS).flatMap((turn) => turn.calls);
  if (calls.length > MOST_CALLS) return wrong(`makes ${calls.length} calls, over ${MOST_CALLS}`);
  for (const call of calls) await session.call(call);
  if (!session.finished) return wrong('never calls finish');
  const given = session.answer!.replace(/^\.\//, '');
  if (answer !== null && given !== answer) return wrong(expected(answer, given));
  const files = await session.files();
  for (const path of new Set([...Object.keys(files), ...Object.keys(after)])) {
    if (!isDeepStrictEqual(files[path], after[path]))
      return wrong(`${path} is not as it should be`);
  }
  return CORRECT;
}

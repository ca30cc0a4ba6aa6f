/**
 * Function calling from JSON schemas: one call, several at once, several in a row, and none where none
 * fits. Calls are compared with the right ones, whatever the order of those that go together.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ChatMessage } from '../../text/chat-messages.ts';
import { type Call, type Response, readTurns } from '../response.ts';
import type { Language, TaskFamily, ToolSession } from '../task.ts';
import { CORRECT, lastLine, shorten, splitList, type Verdict, wrong } from '../verdict.ts';
import { makePlan, type Plan, type PlannedCall } from './plan.ts';

export const functions: TaskFamily = {
  name: 'functions',
  description:
    'calls functions by their JSON schemas: one, several at once, several in a row, none',
  generate(random, { language, level, thinking }) {
    const plan = makePlan(random, level, language);
    return {
      family: 'functions',
      key: `functions ${plan.ask.en}`,
      messages: [{ role: 'user', content: plan.ask[language] }],
      tools: plan.tools,
      thinking,
      solution: solutionOf(plan, language, thinking),
      verify: async (response) => judge(plan, response),
      openTools: () => new PlannedSession(plan),
    };
  },
};

const DONE: Record<Language, string> = { en: 'Done.', zh: '好了。' };
const CANNOT: Record<Language, string> = {
  en: 'I have no function for that.',
  zh: '我没有这样的函数。',
};

function solutionOf(plan: Plan, language: Language, thinking: boolean): ChatMessage[] {
  const { rounds, answers } = plan;
  const messages = rounds.flatMap((calls): ChatMessage[] => [
    {
      role: 'assistant',
      content: '',
      ...(thinking && { reasoning_content: calls.map(({ name }) => name).join(', ') }),
      tool_calls: calls.map(({ name, arguments: given }) => ({
        function: { name, arguments: given },
      })),
    },
    ...calls.map(({ output }) => ({ role: 'tool', content: output })),
  ]);
  const done = rounds.length === 0 ? CANNOT[language] : DONE[language];
  const content = answers.length > 0 ? answers.join(', ') : done;
  return [...messages, { role: 'assistant', content }];
}

function judge({ tools, rounds, answers }: Plan, response: Response): Verdict {
  const turns = readTurns(response, tools);
  const made = turns.flatMap(({ calls }) => calls);
  const missing = [...rounds.flat()];
  for (const call of made) {
    const at = missing.findIndex((planned) => isSameCall(planned, call));
    if (at < 0) return wrong(`makes a wrong call: ${shorten(JSON.stringify(call))}`);
    missing.splice(at, 1);
  }
  if (missing.length > 0)
    return wrong(`does not call ${missing.map(({ name }) => name).join(', ')}`);
  const last = turns.at(-1);
  const hasAnswer = last !== undefined && last.calls.length === 0 && last.text !== '';
  if (!hasAnswer) return wrong('does not end with an answer');
  const named = splitList(lastLine(last.text));
  const unnamed = answers.filter((answer) => !named.includes(answer));
  if (unnamed.length > 0) return wrong(`does not answer ${unnamed.join(', ')}`);
  return CORRECT;
}

function isSameCall(planned: Call, call: Call): boolean {
  return planned.name === call.name && isDeepStrictEqual(planned.arguments, call.arguments);
}

/** Answers the right calls with their results, and others with an error. */
class PlannedSession implements ToolSession {
  readonly finished = false;
  readonly #calls: readonly PlannedCall[];

  constructor({ rounds }: Plan) {
    this.#calls = rounds.flat();
  }

  async call(call: Call): Promise<string> {
    const planned = this.#calls.find((candidate) => isSameCall(candidate, call));
    return planned?.output ?? JSON.stringify({ error: 'not found' });
  }
}

/** Lets a model go on with a problem: its turns, and between them what its calls give. */
import type { ChatMessage } from '../text/chat-messages.ts';
import { readTurns } from './response.ts';
import type { Problem } from './task.ts';

/** Turns before a problem is given up. */
export const MOST_TURNS = 12;

/**
 * @param reply the next turn of the assistant, for all messages so far
 * @returns the messages after the prompt, as `problem.verify` takes them
 */
export async function play(
  problem: Problem,
  reply: (messages: readonly ChatMessage[]) => Promise<ChatMessage>,
): Promise<ChatMessage[]> {
  const session = problem.openTools?.();
  const response: ChatMessage[] = [];
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const message = await reply([...problem.messages, ...response]);
    response.push(message);
    const { calls } = readTurns([message])[0]!;
    if (session === undefined || calls.length === 0) break;
    for (const call of calls) {
      const output = await session.call(call);
      if (session.finished) return response;
      response.push({ role: 'tool', content: output });
    }
  }
  return response;
}

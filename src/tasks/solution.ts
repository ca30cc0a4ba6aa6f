/** How worked solutions are written: steps first, then the answer on a line of its own. */
import type { ChatMessage } from '../text/chat-messages.ts';

/** The steps are thoughts when the model may think, and otherwise the first lines of the answer. */
export function solve(
  thinking: boolean,
  steps: readonly string[],
  answer: string,
): readonly ChatMessage[] {
  const reasoning = steps.join('\n');
  if (steps.length === 0) return [{ role: 'assistant', content: answer }];
  return thinking
    ? [{ role: 'assistant', content: answer, reasoning_content: reasoning }]
    : [{ role: 'assistant', content: `${reasoning}\n${answer}` }];
}

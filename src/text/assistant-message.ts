/** A response that is read as a whole, as the message of a chat. */
import type { ChatMessage } from './chat-messages.ts';
import type { ResponseEvent } from './response-parser.ts';

/** Calls of functions that do not exist, or that were cut off, are text, for whoever judges it. */
export function assistantMessage(events: Iterable<ResponseEvent>, thinking: boolean): ChatMessage {
  let [text, reasoning] = ['', ''];
  const calls: { function: { name: string; arguments: Record<string, unknown> } }[] = [];
  for (const event of events) {
    if (event.type === 'reasoning-delta') reasoning += event.text;
    else if (event.type === 'tool-call') {
      calls.push({ function: { name: event.name, arguments: event.arguments } });
    } else if ('text' in event) text += event.text;
  }
  return {
    role: 'assistant',
    content: text,
    ...(thinking && { reasoning_content: reasoning }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

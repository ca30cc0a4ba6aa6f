/** What a model wrote, as text or as messages, in the form that verifiers read. */
import type { ChatMessage, Tool } from '../text/chat-messages.ts';
import { ToolCallParser } from '../text/tool-call-parser.ts';

/**
 * A way to go on with a problem: one turn as the model wrote it, with or without its thinking in
 * front, or all messages after the prompt.
 */
export type Response = string | readonly ChatMessage[];

/** A function that an assistant calls. */
export interface Call {
  name: string;
  arguments: Record<string, unknown>;
}

/** One turn of an assistant, without its thinking. */
export interface Turn {
  text: string;
  calls: Call[];
}

/** The turns of the assistant; other messages are passed over. Calls that are no JSON object have no arguments. */
export function readTurns(response: Response, tools: readonly Tool[] = []): Turn[] {
  if (typeof response === 'string') return [readTurn(finalAnswer(response), tools)];
  return response
    .filter(({ role }) => role === 'assistant')
    .map(({ content, tool_calls: calls }) => ({
      text: finalAnswer(typeof content === 'string' ? content : ''),
      calls: (calls ?? []).map((call) => ({
        name: call.function.name,
        arguments: objectOf(call.function.arguments),
      })),
    }));
}

/** What the last turn says. */
export function answerOf(response: Response): string {
  return readTurns(response).at(-1)?.text ?? '';
}

/** A response without its thinking; empty if the thinking never ended. */
export function finalAnswer(response: string): string {
  const end = response.lastIndexOf('</think>');
  if (end >= 0) return response.slice(end + '</think>'.length).trim();
  return response.includes('<think>') ? '' : response.trim();
}

function readTurn(written: string, tools: readonly Tool[]): Turn {
  const turn: Turn = { text: '', calls: [] };
  if (tools.length === 0) return { ...turn, text: written };
  const parser = new ToolCallParser(tools);
  for (const event of [...parser.push(written), ...parser.end()]) {
    if (event.type === 'tool-call') {
      turn.calls.push({ name: event.name, arguments: event.arguments });
    } else if (event.type === 'unknown-tool-call') {
      turn.calls.push({ name: event.name, arguments: {} });
    } else if ('text' in event) turn.text += event.text;
  }
  return { ...turn, text: turn.text.trim() };
}

function objectOf(value: string | Record<string, unknown>): Record<string, unknown> {
  if (typeof value !== 'string') return value;
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  } catch {
    return {};
  }
}

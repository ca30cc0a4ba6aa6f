/**
 * The messages of a chat as OpenAI's API writes them, and their one regular form that templates
 * are given: text content, tool arguments as objects, reasoning apart from the answer.
 */
import { UserError } from '../errors.ts';

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant' | 'tool' | (string & {});
  content?: string | readonly ContentPart[] | null;
  /** What an assistant thought before it answered. */
  reasoning_content?: string | null;
  tool_calls?: readonly ToolCall[] | null;
  /** Which call a tool message answers; the template goes by order alone. */
  tool_call_id?: string;
}

export interface ContentPart {
  type: string;
  text?: string;
}

export interface ToolCall {
  id?: string;
  type?: 'function';
  function: {
    name: string;
    /** An object, or the JSON text of one. */
    arguments: string | Record<string, unknown>;
  };
}

/** A function that the model may call; `parameters` is the JSON schema of an object. */
export interface Tool {
  type: 'function';
  function: {
    name: string;
    description?: string;
    parameters?: Record<string, unknown>;
    [key: string]: unknown;
  };
}

/** A message in regular form. */
export interface RegularMessage {
  role: string;
  content: string;
  reasoning_content?: string;
  tool_calls?: { function: { name: string; arguments: Record<string, unknown> } }[];
}

/**
 * The regular form of each message.
 *
 * @throws {UserError} naming the message and field that a template cannot render: content that is
 *   not text, arguments that are not a JSON object.
 */
export function regularMessages(messages: readonly ChatMessage[]): RegularMessage[] {
  return messages.map((message, i) => {
    const regular: RegularMessage = {
      role: message.role,
      content: textOf(message.content, `messages[${i}].content`),
    };
    if (message.role !== 'assistant') return regular;
    if (typeof message.reasoning_content === 'string') {
      regular.reasoning_content = message.reasoning_content;
    } else {
      const thought = /^<think>(.*?)<\/think>/s.exec(regular.content);
      if (thought !== null) {
        regular.reasoning_content = thought[1]!;
        regular.content = regular.content.slice(thought[0].length);
      }
    }
    if (message.tool_calls?.length) {
      regular.tool_calls = message.tool_calls.map((call, k) => ({
        function: {
          name: call.function.name,
          arguments: objectOf(
            call.function.arguments,
            `messages[${i}].tool_calls[${k}].function.arguments`,
          ),
        },
      }));
    }
    return regular;
  });
}

export function textOf(content: ChatMessage['content'], field: string): string {
  if (content === null || content === undefined) return '';
  if (typeof content === 'string') return content;
  return content
    .map((part, i) => {
      if (part.type === 'text' && typeof part.text === 'string') return part.text;
      throw new UserError(
        `${field}[${i}]: type is "${part.type}"; this model reads only text, send {"type": "text", "text": "..."}`,
      );
    })
    .join('');
}

function objectOf(value: string | Record<string, unknown>, field: string): Record<string, unknown> {
  let parsed: unknown = value;
  if (typeof value === 'string') {
    try {
      // Some clients send an empty text for a call without arguments.
      parsed = JSON.parse(value.trim() || '{}');
    } catch {
      throw new UserError(`${field}: is not JSON; send an object or the JSON text of one`);
    }
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new UserError(`${field}: is not an object; send an object or the JSON text of one`);
  }
  return parsed as Record<string, unknown>;
}

/**
 * The body of `/v1/responses`. The server keeps no answers, so a chat is sent whole each time.
 * https://platform.openai.com/docs/api-reference/responses/create
 */
import { z } from 'zod';
import type { ChatMessage, Tool, ToolCall } from '../../text/chat-messages.ts';
import { type ToolUse, textFormat } from '../generation/output-format.ts';
import { samplingFields } from '../generation/request.ts';
import { toolName, uniqueNames } from '../tool-names.ts';
import { thinkingEfforts } from './chat-schema.ts';

const textPart = z.object({
  type: z.enum(['input_text', 'output_text', 'text'], {
    error: 'this model reads only text; send {"type": "input_text", "text": "..."}',
  }),
  text: z.string(),
});
const texts = z.union([z.string(), z.array(textPart)]);

const messageItem = z.object({
  type: z.literal('message'),
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: texts,
});
const item = z.preprocess(
  withType,
  z.discriminatedUnion(
    'type',
    [
      messageItem,
      z.object({
        type: z.literal('function_call'),
        call_id: z.string(),
        name: toolName,
        arguments: z.string(),
      }),
      z.object({ type: z.literal('function_call_output'), call_id: z.string(), output: texts }),
      z.object({
        type: z.literal('reasoning'),
        summary: z.array(z.object({ text: z.string() })).optional(),
        content: z.array(z.object({ text: z.string() })).nullish(),
      }),
    ],
    { error: 'must be message, function_call, function_call_output or reasoning' },
  ),
);

const tool = z.object({
  type: z.literal('function', { error: 'only tools of type "function" are supported' }),
  name: toolName,
  description: z.string().nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
  strict: z.boolean().nullish(),
});

export const responsesSchema = z.strictObject({
  model: z.string().nullish(),
  input: z.union([z.string(), z.array(item).min(1)]),
  instructions: z.string().nullish(),
  max_output_tokens: z.int().min(1).nullish(),
  temperature: samplingFields.temperature,
  top_p: samplingFields.top_p,
  top_logprobs: z.int().min(0).max(20).nullish(),
  include: z
    .array(
      z.enum(['message.output_text.logprobs', 'reasoning.encrypted_content'], {
        error: 'is not known to this server',
      }),
    )
    .nullish(),
  seed: samplingFields.seed,
  stream: z.boolean().nullish(),
  tools: uniqueNames(z.array(tool).max(512), ({ name }) => name).nullish(),
  tool_choice: z
    .union(
      [
        z.enum(['auto', 'none', 'required']),
        z.strictObject({ type: z.literal('function'), name: toolName }),
      ],
      { error: 'must be auto, none, required or a function' },
    )
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  reasoning: z
    .strictObject({
      effort: z.enum(thinkingEfforts).nullish(),
      summary: z.enum(['auto', 'concise', 'detailed']).nullish(),
    })
    .nullish(),
  text: z
    .strictObject({
      format: textFormat,
    })
    .nullish(),
  truncation: z
    .literal('disabled', { error: 'only "disabled" is supported; send less input' })
    .nullish(),
  background: z.literal(false, { error: 'answers are not kept; send false' }).nullish(),
  previous_response_id: z.null({ error: 'answers are not kept; send the whole chat' }).optional(),
  store: z.literal(false, { error: 'answers are not kept; send false or leave it out' }).nullish(),
  // What says who asks, and changes no answer.
  metadata: z.record(z.string(), z.string()).nullish(),
  user: z.string().nullish(),
  safety_identifier: z.string().nullish(),
  prompt_cache_key: z.string().nullish(),
  service_tier: z.enum(['auto', 'default']).nullish(),
});

export type ResponsesBody = z.output<typeof responsesSchema>;
type Item = z.output<typeof item>;
type AssistantItem = Exclude<Item, { type: 'function_call_output' }>;

/** Messages may leave their type out. */
function withType(entry: unknown): unknown {
  const isMessage = typeof entry === 'object' && entry !== null && 'role' in entry;
  return isMessage ? { type: 'message', ...entry } : entry;
}

/**
 * The messages as templates know them. What an assistant thought, said and called are items of
 * their own here, one after another, and one message there.
 */
export function messagesOf({ input, instructions }: ResponsesBody): ChatMessage[] {
  const messages: ChatMessage[] = [];
  if (instructions != null) messages.push({ role: 'system', content: instructions });
  if (typeof input === 'string') return [...messages, { role: 'user', content: input }];
  let turn: AssistantTurn | null = null;
  for (const entry of input) {
    if (isAssistants(entry)) {
      if (turn === null || !turn.takes(entry)) {
        turn = new AssistantTurn();
        messages.push(turn.message);
      }
      turn.add(entry);
      continue;
    }
    turn = null;
    if (entry.type === 'function_call_output') {
      messages.push({ role: 'tool', content: textOf(entry.output) });
    } else {
      const { role, content } = entry;
      messages.push({ role: role === 'developer' ? 'system' : role, content: textOf(content) });
    }
  }
  return messages;
}

export function toolsOf({ tools, tool_choice }: ResponsesBody): Tool[] {
  if (tool_choice === 'none') return [];
  return (tools ?? []).map(({ name, description, parameters }) => ({
    type: 'function',
    function: {
      name,
      ...(description != null && { description }),
      ...(parameters != null && { parameters }),
    },
  }));
}

/** How the model may use them. */
export function toolUseOf(body: ResponsesBody): ToolUse {
  const { tools, tool_choice, parallel_tool_calls } = body;
  const strict = (tools ?? []).filter((entry) => entry.strict === true);
  return {
    tools: toolsOf(body),
    choice:
      typeof tool_choice === 'object' && tool_choice !== null
        ? { name: tool_choice.name }
        : tool_choice === 'required'
          ? 'required'
          : 'auto',
    strict: new Set(strict.map(({ name }) => name)),
    parallel: parallel_tool_calls ?? true,
  };
}

/** One assistant's message under construction. */
class AssistantTurn {
  readonly #calls: ToolCall[] = [];
  readonly message = {
    role: 'assistant',
    content: '',
    reasoning_content: '',
    tool_calls: this.#calls,
  };

  /** Thinking begins a turn. */
  takes(entry: AssistantItem): boolean {
    return entry.type !== 'reasoning' || (this.message.content === '' && this.#calls.length === 0);
  }

  add(entry: AssistantItem): void {
    switch (entry.type) {
      case 'reasoning':
        this.message.reasoning_content += textOf(entry.content ?? entry.summary ?? []);
        break;
      case 'function_call':
        this.#calls.push({ function: { name: entry.name, arguments: entry.arguments } });
        break;
      case 'message':
        this.message.content += textOf(entry.content);
        break;
    }
  }
}

function isAssistants(entry: Item): entry is AssistantItem {
  if (entry.type === 'reasoning' || entry.type === 'function_call') return true;
  return entry.type === 'message' && entry.role === 'assistant';
}

function textOf(content: string | readonly { text: string }[]): string {
  return typeof content === 'string' ? content : content.map(({ text }) => text).join('');
}

/**
 * The body of `/v1/chat/completions`. Fields that are not here are refused, and so are values that
 * ask for what the server does not do: nothing a client says is passed over in silence.
 * https://platform.openai.com/docs/api-reference/chat/create
 */
import { z } from 'zod';
import type { ChatMessage, Tool } from '../../text/chat-messages.ts';
import { responseFormat, structuredOutputs, type ToolUse } from '../generation/output-format.ts';
import { samplingFields } from '../generation/request.ts';
import { toolName, uniqueNames } from '../tool-names.ts';

const textOnly = 'this model reads only text; send {"type": "text", "text": "..."}';
const textPart = z.object({ type: z.literal('text', { error: textOnly }), text: z.string() });
const content = z.union([z.string(), z.array(textPart)]);

const toolCall = z.object({
  id: z.string().optional(),
  type: z.literal('function').optional(),
  function: z.object({
    name: toolName,
    arguments: z.union([z.string(), z.record(z.string(), z.unknown())]),
  }),
});

const message = z.discriminatedUnion(
  'role',
  [
    z.object({ role: z.enum(['system', 'developer']), content }),
    z.object({ role: z.literal('user'), content }),
    z.object({
      role: z.literal('assistant'),
      content: content.nullish(),
      reasoning_content: z.string().nullish(),
      tool_calls: z.array(toolCall).nullish(),
    }),
    z.object({ role: z.literal('tool'), content, tool_call_id: z.string().optional() }),
  ],
  { error: 'must be system, developer, user, assistant or tool' },
);

const tool = z.object({
  type: z.literal('function', { error: 'only tools of type "function" are supported' }),
  function: z.looseObject({
    name: toolName,
    description: z.string().optional(),
    parameters: z.record(z.string(), z.unknown()).optional(),
    strict: z.boolean().nullish(),
  }),
});

export const streamOptions = z
  .strictObject({
    include_usage: z.boolean().nullish(),
    include_obfuscation: z.boolean().nullish(),
  })
  .nullish();

const notStored = z.literal(false, { error: 'answers are not kept; leave it out' }).nullish();

export const thinkingEfforts = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'] as const;

export const chatSchema = z.strictObject({
  model: z.string().nullish(),
  messages: z.array(message).min(1),
  ...samplingFields,
  n: z.int().min(1).max(128).nullish(),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  stream: z.boolean().nullish(),
  stream_options: streamOptions,
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  tools: uniqueNames(z.array(tool).max(512), (entry) => entry.function.name).nullish(),
  tool_choice: z
    .union(
      [
        z.enum(['auto', 'none', 'required']),
        z.strictObject({
          type: z.literal('function'),
          function: z.strictObject({ name: toolName }),
        }),
      ],
      { error: 'must be auto, none, required or a function' },
    )
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  response_format: responseFormat,
  structured_outputs: structuredOutputs,
  reasoning_effort: z.enum(thinkingEfforts).nullish(),
  /** As Xiaomi's own service has it. */
  thinking: z.strictObject({ type: z.enum(['enabled', 'disabled']) }).nullish(),
  /** Most tokens of thinking. */
  thinking_budget: z.int().min(1).nullish(),
  chat_template_kwargs: z
    .strictObject({
      enable_thinking: z.boolean().optional(),
      keep_all_reasoning: z.boolean().optional(),
    })
    .nullish(),
  cache_salt: z.string().min(1).nullish(),
  /** Adds the tokens of each piece, with the MTP head that drafted each. */
  return_tokens: z.boolean().nullish(),
  store: notStored,
  modalities: z.array(z.literal('text', { error: 'only "text" is supported' })).nullish(),
  // What says who asks, and changes no answer.
  user: z.string().nullish(),
  safety_identifier: z.string().nullish(),
  prompt_cache_key: z.string().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  service_tier: z.enum(['auto', 'default']).nullish(),
});

export type ChatBody = z.output<typeof chatSchema>;

/** The messages as templates know them. */
export function messagesOf(body: Pick<ChatBody, 'messages'>): ChatMessage[] {
  return body.messages.map((message): ChatMessage => {
    if (message.role === 'developer') return { ...message, role: 'system' };
    if (message.role !== 'assistant') return message as ChatMessage;
    const { content = null, reasoning_content = null, tool_calls } = message;
    return {
      role: 'assistant',
      content,
      reasoning_content,
      tool_calls: tool_calls?.map((call) => ({ function: call.function })) ?? null,
    };
  });
}

type ToolFields = Pick<ChatBody, 'tools' | 'tool_choice'>;

/** The tools that the model is shown. */
export function toolsOf({ tools, tool_choice }: ToolFields): Tool[] {
  if (tool_choice === 'none') return [];
  return (tools ?? []).map(({ type, function: { strict: _, ...definition } }) => ({
    type,
    function: definition as Tool['function'],
  }));
}

/** How it may use them. */
export function toolUseOf(body: ToolFields & Pick<ChatBody, 'parallel_tool_calls'>): ToolUse {
  const { tools, tool_choice, parallel_tool_calls } = body;
  const strict = (tools ?? []).filter((entry) => entry.function.strict === true);
  return {
    tools: toolsOf(body),
    choice:
      typeof tool_choice === 'object' && tool_choice !== null
        ? { name: tool_choice.function.name }
        : tool_choice === 'required'
          ? 'required'
          : 'auto',
    strict: new Set(strict.map((entry) => entry.function.name)),
    parallel: parallel_tool_calls ?? true,
  };
}

/** Whether to think first; `undefined` leaves it to the template. */
export function thinkingOf(
  body: Pick<ChatBody, 'reasoning_effort' | 'thinking' | 'chat_template_kwargs'>,
): boolean | undefined {
  const { reasoning_effort, thinking, chat_template_kwargs } = body;
  if (chat_template_kwargs?.enable_thinking !== undefined) {
    return chat_template_kwargs.enable_thinking;
  }
  if (thinking != null) return thinking.type === 'enabled';
  if (reasoning_effort == null) return undefined;
  return reasoning_effort !== 'none' && reasoning_effort !== 'minimal';
}

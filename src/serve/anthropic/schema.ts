/**
 * The body of `/v1/messages`. As in OpenAI's form, nothing that is sent is passed over in silence.
 * https://docs.anthropic.com/en/api/messages
 */
import { z } from 'zod';
import type { ChatMessage, Tool, ToolCall } from '../../text/chat-messages.ts';
import type { ToolUse } from '../generation/output-format.ts';
import { stopString } from '../generation/request.ts';
import { toolName, uniqueNames } from '../tool-names.ts';

// Clients send blocks back with whatever they came with, and say where a cache should begin (ours
// finds shared prompts by itself), so other fields of a block are left alone.
const textBlock = z.object({ type: z.literal('text'), text: z.string() });
const texts = z.union([z.string(), z.array(textBlock)]);

const blockTypes = { error: 'this model reads only text; send {"type": "text", "text": "..."}' };

const userBlock = z.discriminatedUnion(
  'type',
  [
    textBlock,
    z.object({
      type: z.literal('tool_result'),
      tool_use_id: z.string(),
      content: texts.nullish(),
      is_error: z.boolean().nullish(),
    }),
  ],
  blockTypes,
);
const assistantBlock = z.discriminatedUnion(
  'type',
  [
    textBlock,
    z.object({ type: z.literal('thinking'), thinking: z.string() }),
    z.object({
      type: z.literal('tool_use'),
      id: z.string(),
      name: toolName,
      input: z.record(z.string(), z.unknown()),
    }),
  ],
  blockTypes,
);

const message = z.discriminatedUnion(
  'role',
  [
    z.object({
      role: z.literal('user'),
      content: z.union([z.string(), z.array(userBlock)]),
    }),
    z.object({
      role: z.literal('assistant'),
      content: z.union([z.string(), z.array(assistantBlock)]),
    }),
  ],
  { error: 'must be user or assistant' },
);

const tool = z.object({
  type: z.literal('custom', { error: 'only tools of type "custom" are supported' }).nullish(),
  name: toolName,
  description: z.string().optional(),
  input_schema: z.record(z.string(), z.unknown()),
  strict: z.boolean().nullish(),
});

const prompt = {
  model: z.string(),
  // Where a cache should begin; ours finds shared prompts by itself.
  cache_control: z
    .strictObject({ type: z.literal('ephemeral'), ttl: z.enum(['5m', '1h']).nullish() })
    .nullish(),
  messages: z.array(message).min(1),
  system: texts.nullish(),
  tools: uniqueNames(z.array(tool).max(512), ({ name }) => name).nullish(),
  tool_choice: z
    .discriminatedUnion(
      'type',
      [
        z.strictObject({
          type: z.enum(['auto', 'any', 'none']),
          disable_parallel_tool_use: z.boolean().nullish(),
        }),
        z.strictObject({
          type: z.literal('tool'),
          name: toolName,
          disable_parallel_tool_use: z.boolean().nullish(),
        }),
      ],
      { error: 'must be auto, any, tool or none' },
    )
    .nullish(),
  thinking: z
    .discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('enabled'),
        budget_tokens: z.int().min(1),
        display: z.literal('summarized').nullish(),
      }),
      z.strictObject({ type: z.literal('adaptive'), display: z.literal('summarized').nullish() }),
      z.strictObject({ type: z.literal('disabled') }),
    ])
    .nullish(),
};

export const countSchema = z.strictObject(prompt);

export const messagesSchema = z.strictObject({
  ...prompt,
  max_tokens: z.int().min(1),
  temperature: z.number().min(0).max(1).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.int().min(0).nullish(),
  stop_sequences: z.array(stopString()).max(16).nullish(),
  stream: z.boolean().nullish(),
  output_config: z
    .strictObject({
      /** The model does not know how much to think. */
      effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).nullish(),
      format: z
        .strictObject({
          type: z.literal('json_schema', { error: 'must be json_schema' }),
          schema: z.record(z.string(), z.unknown()),
        })
        .nullish(),
    })
    .nullish(),
  // What says who asks, and changes no answer.
  metadata: z.strictObject({ user_id: z.string().nullish() }).nullish(),
  service_tier: z.enum(['auto', 'standard_only']).nullish(),
});

export type MessagesBody = z.output<typeof messagesSchema>;
export type PromptBody = z.output<typeof countSchema>;
type Message = PromptBody['messages'][number];

/** The messages as templates know them; tool results become messages of their own. */
export function messagesOf({ system, messages }: PromptBody): ChatMessage[] {
  const opening: ChatMessage[] =
    system == null ? [] : [{ role: 'system', content: textOf(system) }];
  return [...opening, ...messages.flatMap(messageOf)];
}

export function toolsOf({ tools, tool_choice }: PromptBody): Tool[] {
  if (tool_choice?.type === 'none') return [];
  return (tools ?? []).map(({ name, description, input_schema }) => ({
    type: 'function',
    function: {
      name,
      ...(description !== undefined && { description }),
      parameters: input_schema,
    },
  }));
}

/** How the model may use them. */
export function toolUseOf(body: PromptBody): ToolUse {
  const { tools, tool_choice } = body;
  const strict = (tools ?? []).filter((entry) => entry.strict === true);
  return {
    tools: toolsOf(body),
    choice:
      tool_choice?.type === 'tool'
        ? { name: tool_choice.name }
        : tool_choice?.type === 'any'
          ? 'required'
          : 'auto',
    strict: new Set(strict.map(({ name }) => name)),
    parallel: tool_choice?.disable_parallel_tool_use !== true,
  };
}

function messageOf({ role, content }: Message): ChatMessage[] {
  if (typeof content === 'string') return [{ role, content }];
  return role === 'assistant'
    ? [assistantMessage(content as z.output<typeof assistantBlock>[])]
    : userMessages(content as z.output<typeof userBlock>[]);
}

function userMessages(blocks: readonly z.output<typeof userBlock>[]): ChatMessage[] {
  const messages: ChatMessage[] = [];
  for (const block of blocks) {
    const last = messages.at(-1);
    if (block.type === 'tool_result') {
      const text = textOf(block.content ?? '');
      // The format has no other way to say that a tool failed.
      messages.push({ role: 'tool', content: block.is_error ? `Error: ${text}` : text });
    } else if (last?.role === 'user') {
      last.content += block.text;
    } else {
      messages.push({ role: 'user', content: block.text });
    }
  }
  return messages;
}

function assistantMessage(blocks: readonly z.output<typeof assistantBlock>[]): ChatMessage {
  const calls: ToolCall[] = [];
  let content = '';
  let reasoning = '';
  for (const block of blocks) {
    if (block.type === 'text') content += block.text;
    else if (block.type === 'thinking') reasoning += block.thinking;
    else calls.push({ function: { name: block.name, arguments: block.input } });
  }
  return { role: 'assistant', content, reasoning_content: reasoning, tool_calls: calls };
}

function textOf(content: string | readonly { text: string }[]): string {
  return typeof content === 'string' ? content : content.map(({ text }) => text).join('');
}

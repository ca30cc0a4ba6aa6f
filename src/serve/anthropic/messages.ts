/** `POST /v1/messages` and `POST /v1/messages/count_tokens`. */
import { randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { readBody } from '../body.ts';
import type { ServerContext } from '../context.ts';
import { anthropicError, invalid, toApiError } from '../errors.ts';
import { eventStream, type ServerEvent } from '../event-stream.ts';
import {
  answerChat,
  type ChatEvent,
  type PreparedChat,
  prepareChat,
  renderPrompt,
} from '../generation/chat.ts';
import { checkModel, samplingOf, seedsOf } from '../generation/request.ts';
import { reportError } from '../report-error.ts';
import { blocksOf, messageEvents, messageOf } from './message-response.ts';
import {
  countSchema,
  type MessagesBody,
  messagesOf,
  messagesSchema,
  type PromptBody,
  toolsOf,
  toolUseOf,
} from './schema.ts';

export function messages(context: ServerContext) {
  return async (c: Context): Promise<Response> => {
    const body = await readBody(c, messagesSchema);
    const prepared = await prepare(context, body);
    const [seed] = seedsOf(null, 1);
    const head = { id: `msg_${randomUUID().replaceAll('-', '')}`, model: context.modelName };
    const ticket = context.admission.enter(c.req.raw.signal);
    const events = answerChat(context, prepared, seed ?? null, ticket.signal);
    if (body.stream) {
      const promptTokens = prepared.request.prompt.length;
      return eventStream(context, ticket, messageEvents(head, promptTokens, events), errorEvents);
    }
    try {
      const collected: ChatEvent[] = [];
      for await (const event of events) collected.push(event);
      const finish = collected.find((event) => event.type === 'finish')!;
      return c.json(messageOf(head, blocksOf(collected), finish));
    } finally {
      ticket.leave();
    }
  };
}

export function countTokens(context: ServerContext) {
  return async (c: Context): Promise<Response> => {
    const body = await readBody(c, countSchema);
    checkModel(context, body.model);
    const rendered = renderPrompt(context, promptOf(body), 'messages');
    const [ids] = await context.encode([rendered]);
    return c.json({ input_tokens: ids!.length });
  };
}

async function prepare(context: ServerContext, body: MessagesBody): Promise<PreparedChat> {
  checkModel(context, body.model);
  if (body.messages.at(-1)!.role === 'assistant') {
    throw invalid('messages', 'end with the assistant; the beginning of an answer cannot be given');
  }
  if (body.thinking?.type === 'enabled' && body.thinking.budget_tokens >= body.max_tokens) {
    throw invalid('thinking.budget_tokens', 'must be less than max_tokens');
  }
  const { temperature, top_p, top_k } = body;
  const format = body.output_config?.format;
  return prepareChat(
    context,
    {
      ...promptOf(body),
      toolUse: toolUseOf(body),
      format: format == null ? { kind: 'any' } : { kind: 'json-schema', schema: format.schema },
      formatField: 'output_config.format',
      sampling: samplingOf(context, { temperature, top_p, top_k }),
      thinkingBudget: body.thinking?.type === 'enabled' ? body.thinking.budget_tokens : undefined,
      maxTokens: body.max_tokens,
      stops: body.stop_sequences ?? [],
    },
    'messages',
  );
}

function promptOf(body: PromptBody) {
  const thinking = body.thinking == null ? undefined : body.thinking.type !== 'disabled';
  return { messages: messagesOf(body), tools: toolsOf(body), thinking };
}

function errorEvents(error: unknown): ServerEvent[] {
  return [{ event: 'error', data: anthropicError(reportError(toApiError(error))) }];
}

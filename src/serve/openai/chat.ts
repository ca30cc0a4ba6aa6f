/** `POST /v1/chat/completions`. */
import type { Context } from 'hono';
import { readBody } from '../body.ts';
import type { ServerContext } from '../context.ts';
import { invalid } from '../errors.ts';
import { eventStream, type ServerEvent } from '../event-stream.ts';
import {
  answerChat,
  type ChatEvent,
  type ChatUsage,
  type PreparedChat,
  prepareChat,
} from '../generation/chat.ts';
import { merge } from '../generation/merge.ts';
import { formatOf } from '../generation/output-format.ts';
import {
  checkModel,
  requireFeature,
  samplingOf,
  seedsOf,
  stopTokensOf,
} from '../generation/request.ts';
import { ChatResponse } from './chat-response.ts';
import { type ChatBody, chatSchema, messagesOf, thinkingOf, toolUseOf } from './chat-schema.ts';
import { errorEvents } from './error-events.ts';

export function chatCompletions(context: ServerContext) {
  return async (c: Context): Promise<Response> => {
    const body = await readBody(c, chatSchema);
    const prepared = await prepare(context, body);
    const seeds = seedsOf(body.seed, body.n ?? 1);
    const response = new ChatResponse(context, {
      logprobs: body.logprobs ?? false,
      tokens: body.return_tokens ?? false,
    });
    const ticket = context.admission.enter(c.req.raw.signal, seeds.length);
    const choices = seeds.map((seed, index) =>
      numbered(index, answerChat(context, prepared, seed, ticket.signal)),
    );
    if (body.stream) {
      const withUsage = body.stream_options?.include_usage ?? false;
      return eventStream(context, ticket, chunks(choices, response, withUsage), errorEvents);
    }
    try {
      const collected: ChatEvent[][] = seeds.map(() => []);
      for await (const { index, event } of merge(choices)) collected[index]!.push(event);
      return c.json(response.whole(collected));
    } finally {
      ticket.leave();
    }
  };
}

async function prepare(context: ServerContext, body: ChatBody): Promise<PreparedChat> {
  checkModel(context, body.model);
  if (body.max_tokens != null && body.max_completion_tokens != null) {
    throw invalid('max_tokens', 'is another name of max_completion_tokens; send one of them');
  }
  if (body.top_logprobs != null && !body.logprobs) {
    throw invalid('top_logprobs', 'needs "logprobs": true');
  }
  if (body.stream_options != null && !body.stream) {
    throw invalid('stream_options', 'needs "stream": true');
  }
  requireFeature(context, 'logprobs', 'logprobs', body.logprobs ?? false);
  requireFeature(context, 'cache-salt', 'cache_salt', body.cache_salt != null);
  return prepareChat(
    context,
    {
      messages: messagesOf(body),
      toolUse: toolUseOf(body),
      format: formatOf(body.response_format, body.structured_outputs),
      formatField: body.structured_outputs == null ? 'response_format' : 'structured_outputs',
      thinking: thinkingOf(body),
      thinkingBudget: body.thinking_budget ?? undefined,
      keepAllReasoning: body.chat_template_kwargs?.keep_all_reasoning,
      sampling: samplingOf(context, body),
      maxTokens: body.max_completion_tokens ?? body.max_tokens,
      stops: body.stop,
      stopTokens: stopTokensOf(context, body),
      logprobs: body.logprobs ? { top: body.top_logprobs ?? 0 } : undefined,
      cacheSalt: body.cache_salt ?? undefined,
    },
    'messages',
  );
}

interface NumberedEvent {
  index: number;
  event: ChatEvent;
}

async function* numbered(
  index: number,
  events: AsyncGenerator<ChatEvent>,
): AsyncGenerator<NumberedEvent> {
  for await (const event of events) yield { index, event };
}

async function* chunks(
  choices: readonly AsyncGenerator<NumberedEvent>[],
  response: ChatResponse,
  withUsage: boolean,
): AsyncGenerator<ServerEvent> {
  const calls = choices.map(() => 0);
  const usages: ChatUsage[] = [];
  for await (const { index, event } of merge(choices)) {
    if (event.type === 'prompt') {
      yield { data: response.opening(index) };
    } else if (event.type === 'finish') {
      usages.push(event.usage);
      yield { data: response.closing(index, event) };
    } else if (event.type === 'tool-call') {
      // Its deltas have said all of it.
      calls[index]!++;
    } else {
      yield { data: response.part(index, event, calls[index]!) };
    }
  }
  if (withUsage) yield { data: response.usage(usages) };
  yield { data: '[DONE]' };
}

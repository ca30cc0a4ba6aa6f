/** `POST /v1/responses`. */
import { randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { readBody } from '../body.ts';
import type { ServerContext } from '../context.ts';
import { invalid, openAiError, toApiError } from '../errors.ts';
import { eventStream, type ServerEvent } from '../event-stream.ts';
import {
  answerChat,
  type ChatEvent,
  type ChatFinish,
  type PreparedChat,
  prepareChat,
} from '../generation/chat.ts';
import { textFormatOf } from '../generation/output-format.ts';
import { checkModel, requireFeature, samplingOf, seedsOf } from '../generation/request.ts';
import { reportError } from '../report-error.ts';
import { thinkingOf } from './chat-schema.ts';
import { type ResponseEvent, ResponseItems } from './response-items.ts';
import { messagesOf, type ResponsesBody, responsesSchema, toolUseOf } from './responses-schema.ts';

export function responses(context: ServerContext) {
  return async (c: Context): Promise<Response> => {
    const body = await readBody(c, responsesSchema);
    const prepared = await prepare(context, body);
    const [seed] = seedsOf(body.seed, 1);
    const ticket = context.admission.enter(c.req.raw.signal);
    const answer = answerChat(context, prepared, seed ?? null, ticket.signal);
    const response = new StatedResponse(context, body);
    if (body.stream) {
      return eventStream(context, ticket, named(response.events(answer)), (error) => [
        withName(response.failure(error)),
      ]);
    }
    try {
      let last: ResponseEvent | undefined;
      for await (const event of response.events(answer)) last = event;
      return c.json(last!.response as object);
    } finally {
      ticket.leave();
    }
  };
}

async function prepare(context: ServerContext, body: ResponsesBody): Promise<PreparedChat> {
  checkModel(context, body.model);
  if (body.top_logprobs != null && !wantsLogprobs(body)) {
    throw invalid('top_logprobs', 'needs "include": ["message.output_text.logprobs"]');
  }
  requireFeature(context, 'logprobs', 'include', wantsLogprobs(body));
  return prepareChat(
    context,
    {
      messages: messagesOf(body),
      toolUse: toolUseOf(body),
      format: textFormatOf(body.text?.format),
      formatField: 'text.format',
      thinking: thinkingOf({ reasoning_effort: body.reasoning?.effort }),
      sampling: samplingOf(context, body),
      maxTokens: body.max_output_tokens,
      stops: [],
      logprobs: wantsLogprobs(body) ? { top: body.top_logprobs ?? 0 } : undefined,
    },
    'input',
  );
}

function wantsLogprobs({ include }: ResponsesBody): boolean {
  return include?.includes('message.output_text.logprobs') ?? false;
}

/** The response object, and the events that tell how it comes about. */
class StatedResponse {
  readonly #items: ResponseItems;
  readonly #head;
  #sequence = 0;

  constructor(context: ServerContext, body: ResponsesBody) {
    this.#items = new ResponseItems(context, wantsLogprobs(body));
    this.#head = {
      id: `resp_${randomUUID().replaceAll('-', '')}`,
      object: 'response',
      created_at: Math.floor(Date.now() / 1000),
      model: context.modelName,
      instructions: body.instructions ?? null,
      max_output_tokens: body.max_output_tokens ?? null,
      metadata: body.metadata ?? {},
      parallel_tool_calls: body.parallel_tool_calls ?? true,
      previous_response_id: null,
      reasoning: { effort: body.reasoning?.effort ?? null, summary: null },
      store: false,
      temperature: body.temperature ?? 1,
      text: { format: body.text?.format ?? { type: 'text' } },
      tool_choice: body.tool_choice ?? 'auto',
      tools: body.tools ?? [],
      top_p: body.top_p ?? 1,
      truncation: 'disabled',
      user: body.user ?? null,
    };
  }

  /** The last one has the finished response. */
  async *events(answer: AsyncGenerator<ChatEvent>): AsyncGenerator<ResponseEvent> {
    yield this.#numbered('response.created', { response: this.#stated('in_progress') });
    yield this.#numbered('response.in_progress', { response: this.#stated('in_progress') });
    for await (const event of answer) {
      if (event.type === 'prompt') continue;
      const isCut = event.type === 'finish' && event.reason === 'length';
      const changes =
        event.type === 'finish'
          ? this.#items.end(isCut ? 'incomplete' : 'completed')
          : this.#items.add(event);
      for (const { type, ...fields } of changes) yield this.#numbered(type, fields);
      if (event.type === 'finish') yield this.#finished(event);
    }
  }

  /** What a stream ends with that failed. */
  failure(error: unknown): ResponseEvent {
    const { error: told } = openAiError(reportError(toApiError(error))) as {
      error: { message: string; code: string | null; type: string };
    };
    const { message, code, type } = told;
    return this.#numbered('response.failed', {
      response: { ...this.#stated('failed'), error: { code: code ?? type, message } },
    });
  }

  #finished({ reason, usage }: ChatFinish): ResponseEvent {
    const status = reason === 'length' ? 'incomplete' : 'completed';
    const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = usage;
    return this.#numbered(`response.${status}`, {
      response: {
        ...this.#stated(status),
        incomplete_details: reason === 'length' ? { reason: 'max_output_tokens' } : null,
        usage: {
          input_tokens: promptTokens,
          input_tokens_details: { cached_tokens: cachedTokens },
          output_tokens: completionTokens,
          output_tokens_details: { reasoning_tokens: reasoningTokens },
          total_tokens: promptTokens + completionTokens,
        },
      },
    });
  }

  #stated(status: string) {
    const output = [...this.#items.items];
    return { ...this.#head, status, error: null, incomplete_details: null, output, usage: null };
  }

  #numbered(type: string, fields: Record<string, unknown>): ResponseEvent {
    return { type, sequence_number: this.#sequence++, ...fields };
  }
}

async function* named(events: AsyncGenerator<ResponseEvent>): AsyncGenerator<ServerEvent> {
  for await (const event of events) yield withName(event);
}

/** The events of this API carry their name twice. */
function withName(data: ResponseEvent): ServerEvent {
  return { event: data.type, data };
}

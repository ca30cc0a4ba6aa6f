/** `POST /generate`: token ids in and out, as trainers that roll out on an SGLang server want it. */
import { randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { readBody } from '../body.ts';
import type { ServerContext } from '../context.ts';
import { ApiError, invalid } from '../errors.ts';
import { eventStream, type ServerEvent } from '../event-stream.ts';
import { answer } from '../generation/answer.ts';
import { merge } from '../generation/merge.ts';
import { type AnswerFormat, schemaFormat } from '../generation/output-format.ts';
import {
  checkGrammar,
  checkTokens,
  encodePrompts,
  requireFeature,
  samplingOf,
  seedsOf,
  stopTokensOf,
  type TextRequest,
  tokensLeft,
} from '../generation/request.ts';
import { errorEvents } from '../openai/error-events.ts';
import { type GenerateBody, type GenerateSampling, generateSchema } from './generate-schema.ts';
import { GenerateOutput, type OutputOptions } from './output.ts';

const defaultMaxTokens = 128;

export function generate(context: ServerContext) {
  return async (c: Context): Promise<Response> => {
    const body = await readBody(c, generateSchema);
    const requests = await requestsOf(context, body);
    for (const { request, grammarField } of requests) {
      await checkGrammar(context, request.grammar, grammarField);
    }
    if (body.session_id != null && requests.length > 1) {
      throw invalid(
        'session_id',
        `is of one answer at a time; the request asks for ${requests.length}`,
      );
    }
    const isBatch = isNested(body) || requests.length > 1;
    const rid = body.rid ?? randomUUID().replaceAll('-', '');
    const ticket = context.admission.enter(c.req.raw.signal, requests.length, rid);
    const outputs = requests.map(({ request, options }, i) => {
      const id = isBatch ? `${rid}_${i}` : rid;
      return new GenerateOutput(context, request, { ...options, id });
    });
    const changes = merge(
      outputs.map((output, i) => fill(context, output, requests[i]!.request, i, ticket.signal)),
    );
    if (body.stream) {
      const events = async function* (): AsyncGenerator<ServerEvent> {
        for await (const i of changes) {
          yield { data: { ...outputs[i]!.write(), ...(isBatch && { index: i }) } };
        }
        yield { data: '[DONE]' };
      };
      return eventStream(context, ticket, events(), errorEvents);
    }
    try {
      for await (const _ of changes);
      const written = outputs.map((output) => output.write());
      return c.json(isBatch ? written : written[0]!);
    } finally {
      ticket.leave();
    }
  };
}

/** Fills an output, and gives its index at each change. What was aborted on demand is an output. */
async function* fill(
  context: ServerContext,
  output: GenerateOutput,
  request: TextRequest,
  index: number,
  signal: AbortSignal,
): AsyncGenerator<number> {
  try {
    for await (const event of answer(context, request, signal)) {
      output.add(event);
      if (event.type !== 'prompt') yield index;
    }
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'aborted') throw error;
    output.abort(error.message);
    yield index;
  }
}

interface PreparedRequest {
  request: TextRequest;
  options: Omit<OutputOptions, 'id'>;
  /** Where a grammar was given, for errors. */
  grammarField: string;
}

/** The answers that are asked for: of each prompt, one after another. */
async function requestsOf(context: ServerContext, body: GenerateBody): Promise<PreparedRequest[]> {
  const field = body.text == null ? 'input_ids' : 'text';
  const isBatch = isNested(body);
  const given = body.text ?? body.input_ids!;
  const prompts = (isBatch ? given : [given]) as (string | number[])[];
  const encoded = await encodePrompts(context, prompts);
  return encoded.flatMap((ids, i) => {
    const name = isBatch ? `${field}[${i}]` : field;
    checkTokens(context, ids, name);
    const sampling = samplingAt(body, i, prompts.length);
    const { request, ...rest } = prepare(context, body, ids, name, sampling);
    const seeds = seedsOf(sampling.sampling_seed, sampling.n ?? 1);
    return seeds.map((seed) => ({ request: { ...request, seed }, ...rest }));
  });
}

/** Whether the body has several prompts. */
function isNested({ text, input_ids }: GenerateBody): boolean {
  return Array.isArray(text) || Array.isArray(input_ids?.[0]);
}

function samplingAt(
  { sampling_params }: GenerateBody,
  index: number,
  count: number,
): GenerateSampling {
  if (!Array.isArray(sampling_params)) return sampling_params ?? { stop: [] };
  if (sampling_params.length !== count) {
    throw invalid(
      'sampling_params',
      `has ${sampling_params.length} entries for ${count} prompts; send one for each, or one object`,
    );
  }
  return sampling_params[index]!;
}

function prepare(
  context: ServerContext,
  body: GenerateBody,
  prompt: readonly number[],
  field: string,
  sampling: GenerateSampling,
): Omit<PreparedRequest, 'request'> & { request: Omit<TextRequest, 'seed'> } {
  const { return_logprob, return_routed_experts } = body;
  const start = body.logprob_start_len ?? -1;
  const routesFrom = body.routed_experts_start_len ?? 0;
  const salt = body.cache_salt ?? body.extra_key;
  const top = { top: body.top_logprobs_num ?? 0 };
  if (start >= prompt.length) {
    throw invalid('logprob_start_len', `is ${start}, but the prompt has ${prompt.length} tokens`);
  }
  if (routesFrom > prompt.length) {
    const message = `is ${routesFrom}, but the prompt has ${prompt.length} tokens`;
    throw invalid('routed_experts_start_len', message);
  }
  const scoresPrompt = return_logprob === true && start >= 0;
  requireFeature(context, 'logprobs', 'return_logprob', return_logprob ?? false);
  requireFeature(context, 'prompt-logprobs', 'logprob_start_len', scoresPrompt);
  requireFeature(
    context,
    'routed-experts',
    'return_routed_experts',
    return_routed_experts ?? false,
  );
  requireFeature(context, 'cache-salt', 'extra_key', salt != null);
  const { json_schema, regex } = sampling;
  if (json_schema != null && regex != null) {
    throw invalid('sampling_params.regex', 'cannot be sent beside json_schema');
  }
  const answer: AnswerFormat =
    regex != null
      ? { kind: 'regex', pattern: regex }
      : json_schema != null
        ? schemaFormat(json_schema, 'sampling_params.json_schema')
        : { kind: 'any' };
  return {
    grammarField: `sampling_params.${regex == null ? 'json_schema' : 'regex'}`,
    request: {
      prompt,
      sampling: samplingOf(context, sampling),
      maxTokens: tokensLeft(
        context,
        prompt.length,
        field,
        sampling.max_new_tokens ?? defaultMaxTokens,
      ),
      stopTokens: stopTokensOf(context, sampling),
      stops: sampling.stop,
      ...(answer.kind !== 'any' && { grammar: { answer } }),
      skipSpecial: sampling.skip_special_tokens ?? true,
      ...(return_logprob && { logprobs: top }),
      ...(scoresPrompt && { promptLogprobs: { ...top, from: start } }),
      ...(return_routed_experts && { routedExperts: { from: routesFrom } }),
      ...(salt != null && { cacheSalt: salt }),
      ...(body.session_id != null && { session: body.session_id }),
    },
    options: {
      withText: body.return_text_in_logprobs ?? false,
      withTop: top.top > 0,
      withPrompt: body.return_prompt_token_ids ?? false,
      keepsStop: sampling.no_stop_trim ?? false,
    },
  };
}

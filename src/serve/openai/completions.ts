/**
 * `POST /v1/completions`: text continued as it is, without a template. With `echo` and `logprobs` it
 * scores a prompt, which is how evaluation harnesses use it.
 * https://platform.openai.com/docs/api-reference/completions
 */
import { randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { z } from 'zod';
import { readBody } from '../body.ts';
import type { ServerContext } from '../context.ts';
import { invalid } from '../errors.ts';
import { eventStream, type ServerEvent } from '../event-stream.ts';
import { type AnswerEvent, answer } from '../generation/answer.ts';
import { merge } from '../generation/merge.ts';
import { formatOf, responseFormat, structuredOutputs } from '../generation/output-format.ts';
import {
  checkGrammar,
  checkModel,
  checkTokens,
  encodePrompts,
  requireFeature,
  samplingFields,
  samplingOf,
  seedsOf,
  stopTokensOf,
  type TextRequest,
  tokensLeft,
} from '../generation/request.ts';
import type { TextToken } from '../generation/text-stream.ts';
import type { ScoredToken } from '../serving-engine.ts';
import { streamOptions } from './chat-schema.ts';
import { errorEvents } from './error-events.ts';
import { CompletionLogprobs } from './logprobs.ts';

const tokenIds = z.array(z.int().nonnegative());

export const completionSchema = z.strictObject({
  model: z.string().nullish(),
  prompt: z.union(
    [z.string(), z.array(z.string()).min(1), tokenIds.min(1), z.array(tokenIds).min(1)],
    {
      error: 'must be a text, a list of token ids, or a list of either',
    },
  ),
  ...samplingFields,
  n: z.int().min(1).max(128).nullish(),
  max_tokens: z.int().min(0).nullish(),
  stream: z.boolean().nullish(),
  stream_options: streamOptions,
  echo: z.boolean().nullish(),
  logprobs: z.int().min(0).max(20).nullish(),
  cache_salt: z.string().min(1).nullish(),
  response_format: responseFormat,
  structured_outputs: structuredOutputs,
  // What other servers have, where it changes nothing.
  best_of: z.literal(1, { error: 'is not supported; leave it out' }).nullish(),
  suffix: z.literal('', { error: 'is not supported; leave it out' }).nullish(),
  user: z.string().nullish(),
});

type CompletionBody = z.output<typeof completionSchema>;

const defaultMaxTokens = 16;

/** One of the answers, before it is let in. */
interface Choice {
  index: number;
  /** What `echo` repeats; `null` without it. */
  echoed: string | null;
  request: TextRequest;
}

export function completions(context: ServerContext) {
  return async (c: Context): Promise<Response> => {
    const body = await readBody(c, completionSchema);
    checkModel(context, body.model);
    const choices = await choicesOf(context, body);
    const ticket = context.admission.enter(c.req.raw.signal, choices.length);
    const usage = { prompt: promptTokensOf(choices), completion: 0 };
    const pieces = merge(choices.map((choice) => piecesOf(context, choice, usage, ticket.signal)));
    const head = {
      id: `cmpl-${randomUUID()}`,
      object: 'text_completion',
      created: Math.floor(Date.now() / 1000),
      model: context.modelName,
      system_fingerprint: context.engine.weightVersion,
    };
    if (body.stream) {
      const withUsage = body.stream_options?.include_usage ?? false;
      const events = async function* (): AsyncGenerator<ServerEvent> {
        for await (const piece of pieces) {
          yield { data: { ...head, choices: [writeChoice(context, body, choices, [piece])] } };
        }
        if (withUsage) yield { data: { ...head, choices: [], usage: writeUsage(usage) } };
        yield { data: '[DONE]' };
      };
      return eventStream(context, ticket, events(), errorEvents);
    }
    try {
      const collected: Piece[][] = choices.map(() => []);
      for await (const piece of pieces) collected[piece.index]!.push(piece);
      return c.json({
        ...head,
        choices: collected.map((pieces) => writeChoice(context, body, choices, pieces)),
        usage: writeUsage(usage),
      });
    } finally {
      ticket.leave();
    }
  };
}

async function choicesOf(context: ServerContext, body: CompletionBody): Promise<Choice[]> {
  const { logprobs, echo, cache_salt } = body;
  const top = { top: logprobs ?? 0 };
  const wantsLogprobs = logprobs != null;
  requireFeature(context, 'logprobs', 'logprobs', wantsLogprobs);
  requireFeature(context, 'prompt-logprobs', 'echo', wantsLogprobs && echo === true);
  requireFeature(context, 'cache-salt', 'cache_salt', cache_salt != null);
  if (body.stream_options != null && !body.stream) {
    throw invalid('stream_options', 'needs "stream": true');
  }
  const answer = formatOf(body.response_format, body.structured_outputs);
  const grammar = answer.kind === 'any' ? undefined : { answer };
  const field = body.structured_outputs == null ? 'response_format' : 'structured_outputs';
  await checkGrammar(context, grammar, field);
  const shared = {
    sampling: samplingOf(context, body),
    stopTokens: stopTokensOf(context, body),
    stops: body.stop,
    ...(grammar !== undefined && { grammar }),
    ...(wantsLogprobs && { logprobs: top }),
    ...(wantsLogprobs && echo && { promptLogprobs: { ...top, from: 0 } }),
    ...(cache_salt != null && { cacheSalt: cache_salt }),
  };
  const seeds = seedsOf(body.seed, body.n ?? 1);
  const prompts = promptsOf(body);
  const encoded = await encodePrompts(context, prompts);
  return prompts.flatMap((prompt, i) => {
    const field = isList(body.prompt) ? `prompt[${i}]` : 'prompt';
    const { tokenizer } = context.text;
    const ids = encoded[i]!;
    checkTokens(context, ids, field);
    const maxTokens = tokensLeft(context, ids.length, field, body.max_tokens ?? defaultMaxTokens);
    const text = typeof prompt === 'string' ? prompt : tokenizer.decode(ids);
    return seeds.map((seed, k) => ({
      index: i * seeds.length + k,
      echoed: echo ? text : null,
      request: { ...shared, prompt: ids, maxTokens, seed },
    }));
  });
}

/** Those of all prompts; the answers to one share it. */
function promptTokensOf(choices: readonly Choice[]): number {
  const prompts = new Set(choices.map(({ request }) => request.prompt));
  return [...prompts].reduce((sum, prompt) => sum + prompt.length, 0);
}

function promptsOf({ prompt }: CompletionBody): (string | number[])[] {
  if (typeof prompt === 'string') return [prompt];
  return isList(prompt) ? prompt : [prompt as number[]];
}

function isList(prompt: CompletionBody['prompt']): prompt is string[] | number[][] {
  return typeof prompt !== 'string' && typeof prompt[0] !== 'number';
}

/** A part of a choice: the echo, text with its tokens, or the end. */
interface Piece {
  index: number;
  text: string;
  prompt: readonly (ScoredToken | null)[];
  tokens: readonly TextToken[];
  finishReason: 'stop' | 'length' | null;
}

async function* piecesOf(
  context: ServerContext,
  { index, echoed, request }: Choice,
  usage: { completion: number },
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  const piece = (part: Partial<Piece>): Piece => {
    return { index, text: '', prompt: [], tokens: [], finishReason: null, ...part };
  };
  let length = 0;
  for await (const event of answer(context, request, signal)) {
    const part = partOf(event, echoed, length);
    if (event.type === 'text') length += event.text.length;
    if (event.type === 'finish') usage.completion += event.completionTokens;
    if (part !== null) yield piece(part);
  }
}

/** @param length of the answer's text before the event. */
function partOf(event: AnswerEvent, echoed: string | null, length: number): Partial<Piece> | null {
  switch (event.type) {
    case 'prompt':
      return echoed === null ? null : { text: echoed, prompt: event.logprobs ?? [] };
    case 'text':
      return event.text === '' && event.tokens.length === 0 ? null : event;
    case 'finish': {
      // Every generated token has its log-probability, also the one that ends the answer: harnesses
      // ask for one token after a prompt, whatever it is, and drop the last entry.
      const { endToken, reason } = event;
      const tokens = endToken === null ? [] : [{ ...endToken, text: '', offset: length }];
      return { finishReason: reason, tokens };
    }
  }
}

function writeChoice(
  context: ServerContext,
  body: CompletionBody,
  choices: readonly Choice[],
  pieces: readonly Piece[],
): object {
  const { index, echoed, request } = choices[pieces[0]!.index]!;
  return {
    index,
    text: pieces.map(({ text }) => text).join(''),
    logprobs: body.logprobs == null ? null : logprobsOf(context, echoed, request.prompt, pieces),
    finish_reason: pieces.at(-1)!.finishReason,
  };
}

function logprobsOf(
  { text: { tokenizer } }: ServerContext,
  echoed: string | null,
  prompt: readonly number[],
  pieces: readonly Piece[],
): CompletionLogprobs {
  const logprobs = new CompletionLogprobs();
  for (const piece of pieces) {
    const decoder = tokenizer.streamDecoder();
    let offset = 0;
    for (const [i, score] of piece.prompt.entries()) {
      logprobs.add(tokenizer, prompt[i]!, offset, score);
      offset += decoder.push(prompt[i]!).length;
    }
    for (const token of piece.tokens) {
      const at = (echoed?.length ?? 0) + token.offset;
      logprobs.add(tokenizer, token.id, at, token.score ?? null);
    }
  }
  return logprobs;
}

function writeUsage({ prompt, completion }: { prompt: number; completion: number }): object {
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
  };
}

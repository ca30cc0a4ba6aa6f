/** One request to a chat model over OpenAI's API. */
import { z } from 'zod';
import { jsonOf } from '../../json.ts';
import type { ChatMessage } from '../../text/chat-messages.ts';
import { SequenceFailure } from '../sequence-failure.ts';
import type { JudgeConfig } from './config.ts';

/** It could not answer now, and may later. */
export class Unavailable extends Error {
  override name = 'Unavailable';
  /** How long it asks to be left alone, in milliseconds. */
  readonly retryAfter: number | null;

  constructor(message: string, retryAfter: number | null = null) {
    super(message);
    this.retryAfter = retryAfter;
  }
}

const completionSchema = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1),
});

/**
 * @param schema JSON schema of the answer
 * @returns the text of the answer; null if what came is no completion
 * @throws Unavailable; SequenceFailure of kind `judge` where asking again is of no use
 */
export async function askChatModel(
  { url, model, maxTokens, jsonSchema }: JudgeConfig,
  apiKey: string | null,
  messages: readonly ChatMessage[],
  schema: object,
  signal: AbortSignal,
): Promise<string | null> {
  const format = { type: 'json_schema', json_schema: { name: 'scores', strict: true, schema } };
  const response = await fetch(`${url.replace(/\/+$/, '')}/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(apiKey !== null && { authorization: `Bearer ${apiKey}` }),
    },
    body: JSON.stringify({
      ...{ model, messages, temperature: 0, max_tokens: maxTokens },
      ...(jsonSchema && { response_format: format }),
    }),
    signal,
  }).catch((error) => {
    throw new Unavailable(`cannot be reached at ${url}: ${causeOf(error)}`);
  });
  const body = await response.text().catch((error) => {
    throw new Unavailable(`broke off its answer: ${causeOf(error)}`);
  });
  if (!response.ok) throw refusal(response, body, jsonSchema);
  const completion = completionSchema.safeParse(jsonOf(body));
  return completion.success ? completion.data.choices[0]!.message.content : null;
}

function refusal({ status, headers }: Response, body: string, jsonSchema: boolean): Error {
  const message = `answers ${status}: ${body.replaceAll(/\s+/g, ' ').slice(0, 200)}`;
  if (status === 408 || status === 429 || status >= 500) {
    return new Unavailable(message, retryAfterOf(headers.get('retry-after')));
  }
  const hint =
    status === 400 && jsonSchema ? '; if it knows no response_format, set "jsonSchema": false' : '';
  return new SequenceFailure('judge', `the judge ${message}${hint}`);
}

/** Seconds or a date; in milliseconds. */
function retryAfterOf(header: string | null): number | null {
  if (header === null) return null;
  if (/^\s*\d+\s*$/.test(header)) return 1000 * Number(header);
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
}

/** `fetch` says little itself. */
function causeOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error && cause.message ? cause.message : message;
}

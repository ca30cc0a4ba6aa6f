/** Which model judges, and what may be asked of it. */
import { z } from 'zod';
import { count, countOrZero, positive, text } from '../../config-fields.ts';
import { UserError } from '../../errors.ts';

export const judgeSchema = z.strictObject({
  /** Where OpenAI's API begins, such as `http://localhost:8000/v1`. */
  url: z.url('must be a URL, such as http://localhost:8000/v1'),
  model: text,
  /** The environment variable that holds the key; left out, none is sent. */
  apiKeyVariable: text.optional(),
  /** Requests at once. */
  concurrency: count.default(8),
  /** Of a request. */
  timeoutSeconds: positive.default(60),
  /** How often it is asked again when it cannot answer, or answers nonsense. */
  retries: countOrZero.default(3),
  /** The longest wait between two requests, also when it asks for more. */
  maxDelaySeconds: positive.default(60),
  maxTokens: count.default(1024),
  /** Whether it is told the schema of its answer as `response_format`, which not all endpoints know. */
  jsonSchema: z.boolean('must be true or false').default(true),
  /** Judgements that are kept for the same answer to the same question. */
  cacheEntries: countOrZero.default(10_000),
});

export type JudgeConfig = z.infer<typeof judgeSchema>;

/** @throws UserError if the key's variable is not set */
export function apiKeyOf(
  { apiKeyVariable }: JudgeConfig,
  environment: Readonly<Record<string, string | undefined>>,
): string | null {
  if (apiKeyVariable === undefined) return null;
  const key = environment[apiKeyVariable]?.trim();
  if (key) return key;
  throw new UserError(
    `the judge's key is not set: put it in the environment variable ${apiKeyVariable}, or leave out "apiKeyVariable"`,
  );
}

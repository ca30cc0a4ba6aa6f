/** What an answer has to be, as the APIs say it, for the engine's grammars. */
import { z } from 'zod';
import type { OutputGrammar } from '../../grammar/output-grammar.ts';
import type { Tool } from '../../text/chat-messages.ts';
import { reasoningStart } from '../../text/reasoning-parser.ts';
import { invalid } from '../errors.ts';

export type AnswerFormat = OutputGrammar['answer'];

/** What tools may, or have to, be called. */
export interface ToolUse {
  /** What may be called; with none, calls are text. */
  tools: readonly Tool[];
  /** A name stands for a call of that tool, and no other. */
  choice: 'auto' | 'required' | { name: string };
  /** Tools whose arguments have to fit their schemas. */
  strict: ReadonlySet<string>;
  /** Whether the answer may go on after a tool call. */
  parallel: boolean;
}

const schemaObject = z.record(z.string(), z.unknown());

const namedSchema = {
  name: z.string().nullish(),
  description: z.string().nullish(),
  schema: schemaObject,
  strict: z.boolean().nullish(),
};

/** Formats by type; `schema` has the fields of `json_schema`. */
const formatWith = <Shape extends z.core.$ZodLooseShape>(schema: Shape) =>
  z
    .discriminatedUnion(
      'type',
      [
        z.strictObject({ type: z.literal('text') }),
        z.strictObject({ type: z.literal('json_object') }),
        z.strictObject({ type: z.literal('json_schema'), ...schema }),
      ],
      { error: 'must be text, json_object or json_schema' },
    )
    .nullish();

/** `response_format` of OpenAI's chats. */
export const responseFormat = formatWith({ json_schema: z.strictObject(namedSchema) });

/** The same as it is written where the schema is not a level deeper. */
export const textFormat = formatWith(namedSchema);

/** As vLLM has it. */
export const structuredOutputs = z
  .strictObject({
    json: z.union([schemaObject, z.string()]).nullish(),
    regex: z.string().max(10_000).nullish(),
    choice: z.array(z.string()).min(1).max(1000).nullish(),
    json_object: z.literal(true).nullish(),
  })
  .refine((said) => Object.values(said).filter((value) => value != null).length === 1, {
    error: 'must have one of json, regex, choice and json_object',
  })
  .nullish();

/** @throws {ApiError} if the two say different things. */
export function formatOf(
  response: z.output<typeof responseFormat>,
  structured?: z.output<typeof structuredOutputs>,
): AnswerFormat {
  if (structured != null) {
    if (response != null && response.type !== 'text') {
      throw invalid('structured_outputs', 'cannot be sent beside response_format');
    }
    const { json, regex, choice } = structured;
    if (regex != null) return { kind: 'regex', pattern: regex };
    if (choice != null) return { kind: 'choice', options: choice };
    return json == null ? { kind: 'json' } : schemaFormat(json, 'structured_outputs.json');
  }
  if (response?.type === 'json_object') return { kind: 'json' };
  if (response?.type !== 'json_schema') return { kind: 'any' };
  return { kind: 'json-schema', schema: response.json_schema.schema };
}

export function textFormatOf(format: z.output<typeof textFormat>): AnswerFormat {
  if (format?.type === 'json_schema') return { kind: 'json-schema', schema: format.schema };
  return { kind: format?.type === 'json_object' ? 'json' : 'any' };
}

/** A schema, also where it is sent as text. */
export function schemaFormat(schema: unknown, field: string): AnswerFormat {
  if (typeof schema !== 'string') return { kind: 'json-schema', schema };
  try {
    return { kind: 'json-schema', schema: JSON.parse(schema) };
  } catch {
    throw invalid(field, 'is not JSON');
  }
}

/**
 * The grammar of the answer to a rendered chat; `undefined` if it may be anything.
 *
 * @throws {ApiError} if a tool has to be called that is not there.
 */
export function chatGrammar(
  rendered: string,
  answer: AnswerFormat,
  { tools, choice, strict, parallel }: ToolUse,
): OutputGrammar | undefined {
  const called =
    typeof choice === 'object' ? tools.filter((tool) => tool.function.name === choice.name) : tools;
  const mode = choice === 'auto' ? 'allowed' : 'required';
  if (mode === 'required' && called.length === 0) {
    const named = typeof choice === 'object' ? ` named "${choice.name}"` : '';
    throw invalid('tool_choice', `there is no tool${named}`);
  }
  const isBound = called.some((tool) => strict.has(tool.function.name)) || answer.kind !== 'any';
  const hasCalls = mode === 'required' || (called.length > 0 && isBound);
  if (!hasCalls && answer.kind === 'any') return undefined;
  const start = reasoningStart(rendered);
  const marked = called.map((tool) => ({
    ...tool,
    function: { ...tool.function, strict: strict.has(tool.function.name) },
  }));
  return {
    answer,
    ...(hasCalls && { calls: { tools: marked, mode, parallel } }),
    ...(start !== 'text' && { thinking: start === 'reasoning' ? 'has begun' : 'may begin' }),
  };
}

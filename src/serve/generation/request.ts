/** Fields that several APIs share, read into what the engine is asked for. */
import { z } from 'zod';
import { UserError } from '../../errors.ts';
import type { OutputGrammar } from '../../grammar/output-grammar.ts';
import type { ServerContext } from '../context.ts';
import { ApiError, invalid } from '../errors.ts';
import {
  type EngineFeature,
  type GenerationRequest,
  noPenalties,
  type SamplingParameters,
} from '../serving-engine.ts';
import type { ThinkingBudget } from './thinking-budget.ts';

/** A request for one answer, before it is let in. */
export interface TextRequest extends Omit<GenerationRequest, 'signal' | 'vocabSize'> {
  /** Texts that end the answer and are no part of it. */
  stops: readonly string[];
  /** Whether control tokens, such as the end of a turn, stay out of the text; so by default. */
  skipSpecial?: boolean;
  thinkingBudget?: ThinkingBudget;
}

const number = (low: number, high: number) => z.number().min(low).max(high).nullish();

/** OpenAI's names, and those that other engines have given to what it lacks. */
export const samplingFields = {
  temperature: number(0, 2),
  top_p: number(0, 1),
  top_k: z.int().min(-1).nullish(),
  min_p: number(0, 1),
  presence_penalty: number(-2, 2),
  frequency_penalty: number(-2, 2),
  repetition_penalty: z.number().positive().max(10).nullish(),
  logit_bias: z.record(z.string().regex(/^\d+$/), z.number().min(-100).max(100)).nullish(),
  seed: z.int().nullish(),
  stop: z
    .union([stopString(), z.array(stopString()).max(16)])
    .nullish()
    .transform((stop) => (typeof stop === 'string' ? [stop] : (stop ?? []))),
  stop_token_ids: z.array(z.int().nonnegative()).max(64).nullish(),
  /** Goes on after the model's own end, as benchmarks want it. */
  ignore_eos: z.boolean().nullish(),
};

export function stopString() {
  return z.string().min(1).max(512);
}

export type SamplingFields = z.output<z.ZodObject<typeof samplingFields>>;

export function samplingOf(
  context: ServerContext,
  body: Partial<SamplingFields>,
): SamplingParameters {
  const penalties = {
    presencePenalty: body.presence_penalty ?? noPenalties.presencePenalty,
    frequencyPenalty: body.frequency_penalty ?? noPenalties.frequencyPenalty,
    repetitionPenalty: body.repetition_penalty ?? noPenalties.repetitionPenalty,
  };
  const logitBias = new Map(
    Object.entries(body.logit_bias ?? {}).map(([id, bias]) => [Number(id), bias]),
  );
  for (const id of logitBias.keys()) checkToken(context, id, `logit_bias.${id}`);
  checkTokens(context, body.stop_token_ids ?? [], 'stop_token_ids');
  const minP = body.min_p ?? noPenalties.minP;
  requireFeature(context, 'min-p', 'min_p', minP > 0);
  requireFeature(context, 'penalties', 'presence_penalty', penalties.presencePenalty !== 0);
  requireFeature(context, 'penalties', 'frequency_penalty', penalties.frequencyPenalty !== 0);
  requireFeature(context, 'penalties', 'repetition_penalty', penalties.repetitionPenalty !== 1);
  requireFeature(context, 'logit-bias', 'logit_bias', logitBias.size > 0);
  return {
    temperature: body.temperature ?? 1,
    topP: body.top_p ?? 1,
    topK: Math.max(0, body.top_k ?? 0),
    minP,
    ...penalties,
    logitBias,
  };
}

/** @throws {ApiError} if `wanted`, but nothing that the engine can do. */
export function requireFeature(
  { engine }: ServerContext,
  feature: EngineFeature,
  field: string,
  wanted: boolean,
): void {
  if (wanted && !engine.features.has(feature)) {
    throw invalid(field, 'is not supported by this engine; leave it out', 'unsupported_value');
  }
}

/**
 * Checks what an answer has to keep to.
 *
 * @param field where the client said so.
 * @throws {ApiError} if the engine cannot see to it.
 */
export async function checkGrammar(
  context: ServerContext,
  grammar: OutputGrammar | undefined,
  field: string,
): Promise<void> {
  if (grammar === undefined) return;
  requireFeature(context, 'grammar', field, true);
  try {
    await context.engine.checkGrammar(grammar);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw invalid(field, error.message);
  }
}

/** Seeds of `count` answers: one after another from the one given; without one, `null` for any. */
export function seedsOf(seed: number | null | undefined, count: number): (number | null)[] {
  return Array.from({ length: count }, (_, i) => (seed == null ? null : seed + i));
}

/** Tokens that end an answer: the model's own and those of the request. */
export function stopTokensOf(
  { engine }: ServerContext,
  { stop_token_ids, ignore_eos }: Partial<SamplingFields>,
): number[] {
  return [...(ignore_eos ? [] : engine.config.eosTokenIds), ...(stop_token_ids ?? [])];
}

/** @throws {ApiError} naming the first id that is no token. */
export function checkTokens(context: ServerContext, ids: readonly number[], field: string): void {
  for (const [i, id] of ids.entries()) checkToken(context, id, `${field}[${i}]`);
}

function checkToken({ text }: ServerContext, id: number, field: string): void {
  const { vocabSize } = text.tokenizer;
  if (id >= vocabSize) {
    throw invalid(field, `token ${id} does not exist; the largest id is ${vocabSize - 1}`);
  }
}

/** Ids of prompts; of a text that does not fit the context, only as many as show that. */
export async function encodePrompts(
  { engine, encode }: ServerContext,
  prompts: readonly (string | number[])[],
): Promise<number[][]> {
  const texts = prompts.filter((prompt) => typeof prompt === 'string');
  const encoded = (await encode(texts, engine.contextTokens)).values();
  return prompts.map((prompt) => (typeof prompt === 'string' ? encoded.next().value! : prompt));
}

/**
 * How many tokens may be generated after a prompt: as many as asked for, or fewer where the context
 * ends before.
 *
 * @throws {ApiError} if the prompt is empty or leaves no room.
 */
export function tokensLeft(
  { engine }: ServerContext,
  promptTokens: number,
  field: string,
  maxTokens?: number | null,
): number {
  const context = engine.contextTokens;
  const room = context - promptTokens;
  if (promptTokens === 0) throw invalid(field, 'is empty; give at least one token');
  if (room < (maxTokens === 0 ? 0 : 1)) {
    const count = room < 0 ? `more than ${context}` : promptTokens;
    throw invalid(
      field,
      `the prompt has ${count} tokens, but the model's context is ${context} tokens, the answer included; shorten it`,
      'context_length_exceeded',
    );
  }
  return Math.min(room, maxTokens ?? room);
}

/** @throws {ApiError} if the client means another model than the one that is served. */
export function checkModel({ modelName }: ServerContext, model: string | null | undefined): void {
  if (model === modelName || model === null || model === undefined) return;
  throw new ApiError('not-found', `model: there is no "${model}"; this server has "${modelName}"`, {
    field: 'model',
    code: 'model_not_found',
  });
}

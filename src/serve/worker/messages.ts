/**
 * What an engine in a worker and the thread that uses it tell each other. Messages are small: numbers
 * of requests, tokens, figures; weights never cross.
 */
import { UserError } from '../../errors.ts';
import type { OutputGrammar } from '../../grammar/output-grammar.ts';
import type { ModelConfig } from '../../model/config.ts';
import type {
  EngineFeature,
  EngineFigures,
  GenerationEvent,
  GenerationRequest,
} from '../serving-engine.ts';

/** One end of the way between two threads. */
export type Post<Message> = (message: Message) => void;

/** A request without what cannot be sent. */
export type SentRequest = Omit<GenerationRequest, 'signal'>;

export type ToEngine =
  | { type: 'submit'; id: number; request: SentRequest }
  | { type: 'cancel'; id: number }
  | { type: 'check-grammar'; id: number; grammar: OutputGrammar }
  | { type: 'load-weights'; id: number; directory: string; version: string }
  | { type: 'release' };

export type FromEngine =
  | { type: 'ready'; description: string; fixed: FixedState; state: EngineState }
  | { type: 'not-started'; error: SentError }
  /** What the user should know of the model. */
  | { type: 'notice'; line: string }
  /** What all requests got since the last of these, and how the engine is. */
  | { type: 'news'; items: NewsItem[]; state: EngineState }
  | { type: 'released' };

/** About the request, the check of a grammar or the loading of weights of a number. */
export type NewsItem = { id: number } & (
  | { event: GenerationEvent }
  | { end: true }
  | { error: SentError }
);

/** What never changes. */
export interface FixedState {
  config: ModelConfig;
  contextTokens: number;
  features: readonly EngineFeature[];
}

export interface EngineState {
  weightVersion: string;
  figures: EngineFigures;
}

/** An error whose kind has to be known on the other side: sending keeps no class. */
export interface SentError {
  isForPeople: boolean;
  message: string;
  stack?: string;
}

export function sentError(error: unknown): SentError {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return {
    isForPeople: error instanceof UserError,
    message,
    ...(stack !== undefined && { stack }),
  };
}

export function receivedError({ isForPeople, message, stack }: SentError): Error {
  if (isForPeople) return new UserError(message);
  return Object.assign(new Error(message), stack !== undefined && { stack });
}

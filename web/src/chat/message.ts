/** A conversation as it is shown and kept. */
import type { ToolCall } from './tool-calls.ts';

export interface Conversation {
  id: string;
  messages: readonly Message[];
  /** Milliseconds since 1970. */
  changedAt: number;
}

export type Message = UserMessage | AssistantMessage | ToolMessage;

export interface UserMessage {
  role: 'user';
  content: string;
}

export interface ToolMessage {
  role: 'tool';
  callId: string;
  content: string;
}

export interface AssistantMessage {
  role: 'assistant';
  reasoning: string;
  content: string;
  toolCalls: readonly ToolCall[];
  tokens: readonly DraftedToken[];
  /** How it ended; `null` while it is being written. */
  ending: Ending | null;
  /** What went wrong, where it did. */
  error: string | null;
  figures: AnswerFigures;
}

export type Ending = 'stop' | 'length' | 'tool-calls' | 'stopped' | 'error';

/** A token's text, and the MTP head that drafted it, from 0; `null` for the model itself. */
export type DraftedToken = readonly [text: string, head: number | null];

export interface AnswerFigures {
  /** From sending to the first token, in milliseconds. */
  firstToken: number | null;
  /** After the first. */
  tokensPerSecond: number | null;
  /** Of prompt and answer, once the answer has ended. */
  contextTokens: number | null;
}

export const emptyAnswer: AssistantMessage = {
  role: 'assistant',
  reasoning: '',
  content: '',
  toolCalls: [],
  tokens: [],
  ending: null,
  error: null,
  figures: { firstToken: null, tokensPerSecond: null, contextTokens: null },
};

/** Its first words. */
export function titleOf({ messages }: Conversation): string {
  const first = messages.find(({ role }) => role === 'user');
  return (first?.content ?? '').trim().split('\n')[0]!.slice(0, 80);
}

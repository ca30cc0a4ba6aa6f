/**
 * What a task family is: a generator of problems and, with each problem, its verifier. Pre-training,
 * fine-tuning, reinforcement learning and evaluation all draw from here, so the same problem can be
 * a sample to learn from, a question with a reward, and a test.
 */

import { hashText, type Random } from '../random.ts';
import type { ChatMessage, Tool } from '../text/chat-messages.ts';
import type { Call, Response } from './response.ts';
import type { Verdict } from './verdict.ts';

export type Language = 'en' | 'zh';

/** Each family says what its levels mean. */
export type Level = 'easy' | 'medium' | 'hard';

export const LANGUAGES: readonly Language[] = ['en', 'zh'];
export const LEVELS: readonly Level[] = ['easy', 'medium', 'hard'];

/** Problems to learn from, and problems never learnt from. */
export type Split = 'train' | 'test';

export interface ProblemOptions {
  language: Language;
  level: Level;
  /** Whether the chat lets the model think before it answers. */
  thinking: boolean;
  /**
   * About how many tokens the prompt is to have, for families that are `scalable`; left out, as the
   * level decides.
   */
  tokens?: number;
  /** Counts tokens for `tokens`; left out, an estimate. */
  countTokens?: (text: string) => number;
}

export interface TaskFamily {
  name: string;
  description: string;
  /** Whether its prompts can be made as long as `tokens` asks. */
  scalable?: boolean;
  /** Whether tools or verifier run what the model wrote: it takes long, and may not end. */
  runsPrograms?: boolean;
  generate(random: Random, options: ProblemOptions): Problem;
}

export interface Problem {
  family: string;
  /**
   * What makes this problem another than the next, whatever its wording and language; decides its
   * split. `null` for what has to be learnt by heart, such as 3+4, and is never tested.
   */
  key: string | null;
  /** The chat so far; ends with a user's message. */
  messages: ChatMessage[];
  /** Functions that the model may call. */
  tools?: readonly Tool[];
  thinking: boolean;
  /**
   * A right way to go on, to learn from: the assistant's turn or, with tools, its turns with the
   * outputs of its calls between them.
   */
  solution: readonly ChatMessage[];
  /** Judges a way to go on; trusts nothing in it but what the assistant wrote. */
  verify(response: Response): Promise<Verdict>;
  /** What the tools do, for problems that go on after a call. Each attempt opens one of its own. */
  openTools?(): ToolSession;
}

/** The tools of one attempt, with the state that calls leave behind. */
export interface ToolSession {
  /** What the model is told; a call that makes no sense is told so. Throws only if the tools are broken. */
  call(call: Call): Promise<string>;
  /** Frees what it holds elsewhere. */
  close?(): Promise<void>;
  /** Whether a call has ended the attempt. */
  readonly finished: boolean;
}

/** One problem in this many is held out. */
const HELD_OUT = 16;

export function splitOf(key: string | null): Split {
  return key !== null && hashText(key) % HELD_OUT === 0 ? 'test' : 'train';
}

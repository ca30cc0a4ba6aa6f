/**
 * What a task family is: a generator of problems and, with each problem, its verifier. Training
 * and reward both come from here, so the same problem can be a sample for SFT and a question for RL.
 */

import { hashText, type Random } from '../random.ts';
import type { ChatMessage } from '../text/chat-messages.ts';

export type Language = 'en' | 'zh';

/** 1 is easy and 3 is hard; each family says what that means for it. */
export type Difficulty = 1 | 2 | 3;

/** Problems to learn from, and problems never learnt from. */
export type Split = 'train' | 'test';

export interface ProblemOptions {
  language: Language;
  difficulty: Difficulty;
  /** Whether the chat lets the model think before it answers. */
  thinking: boolean;
}

export interface TaskFamily {
  name: string;
  description: string;
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
  thinking: boolean;
  /** How to get to the answer; only when thinking, and only where thinking helps. */
  reasoning?: string;
  answer: string;
  /** Whether a response, with or without its thinking in front, gives a right answer. */
  verify(response: string): boolean;
}

/** One problem in this many is held out. */
const HELD_OUT = 16;

export function splitOf(key: string | null): Split {
  return key !== null && hashText(key) % HELD_OUT === 0 ? 'test' : 'train';
}

/** A response without its thinking; empty if the thinking never ended. */
export function finalAnswer(response: string): string {
  const end = response.lastIndexOf('</think>');
  if (end >= 0) return response.slice(end + '</think>'.length).trim();
  return response.includes('<think>') ? '' : response.trim();
}

/** A verifier that accepts exactly these answers. */
export function acceptsOnly(...answers: readonly string[]): (response: string) => boolean {
  return (response) => answers.includes(finalAnswer(response));
}

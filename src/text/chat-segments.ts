/**
 * Cuts a finished chat into what the model was given and what it is to learn to write. Supervised
 * training weighs the second (SFT: Σ c_t · log π(y_t), with c_t = 1 on the assistant's tokens).
 */
import { UserError } from '../errors.ts';
import { type ChatMessage, regularMessages } from './chat-messages.ts';
import { type ChatOptions, type ChatTemplate, renderGuarded } from './chat-template.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface ChatSegment {
  /** Rendered text, guarded: `Tokenizer.encode` reads it, one segment at a time. */
  text: string;
  /** Whether an assistant wrote it, the end of its turn included. */
  trained: boolean;
}

/**
 * The segments of a chat, of which the texts joined are the whole chat. An assistant's part starts
 * where the generation prompt ends, so it has its `<think>` tags when thinking is on, and not when
 * it is off and they are prefilled. Both ends of a part are control tokens or newlines after one,
 * so that encoding the segments apart gives the ids of the whole.
 *
 * @throws {UserError} if the template renders an earlier turn otherwise when a later one follows, as
 *   those do that drop old reasoning; render such a chat one turn at a time.
 */
export function chatSegments(
  tokenizer: Tokenizer,
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: Omit<ChatOptions, 'addGenerationPrompt'> = {},
): ChatSegment[] {
  const regular = regularMessages(messages);
  const segments: ChatSegment[] = [];
  let done = '';
  const advance = (end: number, trained: boolean, addGenerationPrompt: boolean) => {
    const text = renderGuarded(tokenizer, template, regular.slice(0, end), {
      ...options,
      addGenerationPrompt,
    });
    if (!text.startsWith(done)) {
      throw new UserError(`the chat template does not render message ${end - 1} as a continuation`);
    }
    if (text.length > done.length) segments.push({ text: text.slice(done.length), trained });
    done = text;
  };
  regular.forEach((message, i) => {
    if (message.role !== 'assistant') return;
    advance(i, false, true);
    advance(i + 1, true, false);
  });
  if (regular.length > 0 && regular.at(-1)!.role !== 'assistant') {
    advance(regular.length, false, false);
  }
  return segments;
}

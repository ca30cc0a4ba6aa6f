/**
 * What comes after a turn that a model has written: the outputs of its calls, and the opening of its next
 * turn. It is rendered as the difference of two chats, so that what was sampled is never rendered, let
 * alone tokenised, again; other ids for the same text would be tokens that nobody has drawn.
 */
import { UserError } from '../../errors.ts';
import { type ChatMessage, regularMessages } from '../../text/chat-messages.ts';
import { type ChatOptions, renderGuarded } from '../../text/chat-template.ts';
import type { TextFiles } from '../../text/text-files.ts';

/**
 * @param messages the chat up to a turn of the assistant, which is the last
 * @param following what comes between that turn and the assistant's next
 * @param end the control token that ended the turn
 * @returns text for `Tokenizer.encode`; null if the template does not end turns with `end`
 * @throws UserError if the template renders the turn otherwise once something follows it
 */
export function continuation(
  { tokenizer, chatTemplate }: TextFiles,
  messages: readonly ChatMessage[],
  following: readonly ChatMessage[],
  end: string,
  options: Omit<ChatOptions, 'addGenerationPrompt'>,
): string | null {
  const before = renderGuarded(tokenizer, chatTemplate, regularMessages(messages), options);
  const after = renderGuarded(
    tokenizer,
    chatTemplate,
    regularMessages([...messages, ...following]),
    { ...options, addGenerationPrompt: true },
  );
  if (!after.startsWith(before)) {
    throw new UserError(
      'the chat template renders an earlier turn otherwise when another follows, so turns cannot be ' +
        'appended: use one that keeps all reasoning',
    );
  }
  // Some templates have a newline after the end of a turn.
  if (!before.trimEnd().endsWith(end)) return null;
  return after.slice(before.lastIndexOf(end) + end.length);
}

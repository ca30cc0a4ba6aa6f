/** What training data is made of: documents, as text or as chats, and the samples they become. */
import type { ChatMessage, Tool } from '../text/chat-messages.ts';
import { chatSegments } from '../text/chat-segments.ts';
import { renderChat } from '../text/chat-template.ts';
import type { TextFiles } from '../text/text-files.ts';
import { PADDING } from '../text/tokenizer-json.ts';

export type TrainingDocument =
  | { kind: 'text'; text: string }
  | {
      kind: 'chat';
      messages: readonly ChatMessage[];
      thinking: boolean;
      tools?: readonly Tool[];
      /** Whether every token is trained on, or only those that an assistant wrote. */
      learn: 'all' | 'answers';
    };

/** A document as tokens, with the weight of each token as a target. */
export interface Sample {
  tokens: Int32Array;
  weights: Float32Array;
  /** What losses are told apart by: a task family, or a file's name. */
  label?: string;
}

/**
 * Encodes a document. Text is plain, whatever it spells out, and ends with the end-of-text token,
 * which is learnt; in chats all control tokens come from the template.
 *
 * @throws UserError if the chat template cannot render a chat
 */
export function encodeDocument(
  { tokenizer, chatTemplate }: TextFiles,
  document: TrainingDocument,
): Sample {
  if (document.kind === 'text') {
    const end = tokenizer.idOf(PADDING);
    const ids = tokenizer.encodeOrdinary(document.text);
    const tokens = Int32Array.from(end === undefined ? ids : [...ids, end]);
    return { tokens, weights: new Float32Array(tokens.length).fill(1) };
  }
  const { messages, thinking, tools, learn } = document;
  const tokens: number[] = [];
  const weights: number[] = [];
  const segments = chatSegments(tokenizer, chatTemplate, messages, {
    enableThinking: thinking,
    ...(tools && { tools }),
  });
  for (const { text, trained } of segments) {
    for (const id of tokenizer.encode(text)) {
      tokens.push(id);
      weights.push(trained || learn === 'all' ? 1 : 0);
    }
  }
  return { tokens: Int32Array.from(tokens), weights: Float32Array.from(weights) };
}

/** A document as people read it, to learn a vocabulary from. */
export function documentText(
  template: TextFiles['chatTemplate'],
  document: TrainingDocument,
): string {
  if (document.kind === 'text') return document.text;
  const { messages, thinking, tools } = document;
  return renderChat(template, messages, { enableThinking: thinking, ...(tools && { tools }) });
}

/** The conversations, and which of them is on the screen. */
import { computed, signal } from '@preact/signals';
import { randomId } from '../../../src/serve/random-id.ts';
import { showNotice } from '../notice.ts';
import { texts } from '../preferences.ts';
import { uncoverChat } from '../sides.ts';
import type { Conversation, Message } from './message.ts';
import { forgetConversation, keepConversation, readConversations } from './store.ts';

/** The latest first. */
export const conversations = signal<readonly Conversation[]>([]);

const fresh = (): Conversation => ({ id: randomId(), messages: [], changedAt: Date.now() });

/** A new one is in no list until something is said in it. */
const opened = signal<Conversation>(fresh());

export const current = computed(
  () => conversations.value.find(({ id }) => id === opened.value.id) ?? opened.value,
);

export async function loadConversations(): Promise<void> {
  try {
    const kept = (await readConversations()).map(withoutOpenAnswer);
    conversations.value = kept.toSorted((a, b) => b.changedAt - a.changedAt);
  } catch {
    showNotice(texts().historyOff);
  }
}

export function openConversation(conversation: Conversation): void {
  opened.value = conversation;
  uncoverChat();
}

export function newConversation(): void {
  opened.value = fresh();
  uncoverChat();
}

/** Replaces the messages of a conversation on the screen; `keep` has the browser keep them. */
export function setMessages(id: string, messages: readonly Message[], keep: boolean): void {
  const conversation: Conversation = { id, messages, changedAt: Date.now() };
  conversations.value = [conversation, ...conversations.value.filter((other) => other.id !== id)];
  if (keep) keepConversation(conversation).catch(() => showNotice(texts().historyOff));
}

export function messagesOf(id: string): readonly Message[] {
  return conversations.value.find((conversation) => conversation.id === id)?.messages ?? [];
}

export function deleteConversation(id: string): void {
  conversations.value = conversations.value.filter((conversation) => conversation.id !== id);
  if (opened.value.id === id) newConversation();
  forgetConversation(id).catch(() => showNotice(texts().historyOff));
}

/** An answer that was being written when the page was left goes no further. */
function withoutOpenAnswer({ messages, ...rest }: Conversation): Conversation {
  const ended = messages.map(
    (message): Message =>
      message.role === 'assistant' && message.ending === null
        ? { ...message, ending: 'stopped' }
        : message,
  );
  return { ...rest, messages: ended };
}

/** Asks the model and writes what it answers into the conversation. */
import { signal } from '@preact/signals';
import { active } from '../connection/active.ts';
import { type ChatPart, streamChat } from '../connection/chat-stream.ts';
import { messageOf } from '../connection/failure.ts';
import { chatRequest } from './chat-request.ts';
import { current, messagesOf, setMessages } from './conversations.ts';
import { type AssistantMessage, emptyAnswer, type Message } from './message.ts';
import { isComplete, withPieces } from './tool-calls.ts';

/** What is being answered. */
export const answering = signal<{ conversation: string; controller: AbortController } | null>(null);

export function send(content: string): Promise<void> {
  return answerAfter([...current.value.messages, { role: 'user', content }]);
}

/** Answers the last question anew, in place of the answer that there is. */
export function regenerate(): Promise<void> {
  const { messages } = current.value;
  const last = messages.findLastIndex(({ role }) => role !== 'assistant');
  return answerAfter(messages.slice(0, last + 1));
}

/** Gives the result of a call; with the last one the model goes on. */
export async function giveResult(callId: string, content: string): Promise<void> {
  const { id, messages } = current.value;
  const given: Message[] = [...messages, { role: 'tool', callId, content }];
  const calls = messages.findLast((message) => message.role === 'assistant')?.toolCalls ?? [];
  const isOpen = (call: { id: string }) =>
    !given.some((message) => message.role === 'tool' && message.callId === call.id);
  if (calls.filter(isComplete).some(isOpen)) setMessages(id, given, true);
  else await answerAfter(given);
}

export function stop(): void {
  answering.value?.controller.abort();
}

async function answerAfter(question: readonly Message[]): Promise<void> {
  if (answering.value !== null) return;
  const conversation = current.value.id;
  const controller = new AbortController();
  answering.value = { conversation, controller };
  const writer = new AnswerWriter(conversation, question);
  try {
    const parts = streamChat(active.value.fetch, chatRequest(question), controller.signal);
    for await (const part of parts) writer.add(part);
    writer.end({});
  } catch (error) {
    if (controller.signal.aborted) writer.end({ ending: 'stopped' });
    else writer.end({ ending: 'error', error: messageOf(error) });
  } finally {
    answering.value = null;
  }
}

/** An answer as it grows; the screen follows once a frame, however fast tokens come. */
class AnswerWriter {
  readonly #conversation: string;
  readonly #question: readonly Message[];
  readonly #begin = performance.now();
  #answer = emptyAnswer;
  /** When the first tokens came, by the model's clock, and how many. */
  #first: { at: number; tokens: number } | null = null;
  #frame: number | null = null;

  constructor(conversation: string, question: readonly Message[]) {
    this.#conversation = conversation;
    this.#question = question;
    setMessages(conversation, [...question, this.#answer], true);
  }

  add(part: ChatPart): void {
    const { reasoning, content, toolCalls, tokens, ending } = part;
    const answer = this.#answer;
    this.#answer = {
      ...answer,
      reasoning: answer.reasoning + reasoning,
      content: answer.content + content,
      toolCalls: withPieces(answer.toolCalls, toolCalls),
      tokens: [...answer.tokens, ...tokens],
      ending: ending ?? answer.ending,
    };
    this.#measure(part);
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.#show(false);
    });
  }

  end(changes: Partial<AssistantMessage>): void {
    if (this.#frame !== null) cancelAnimationFrame(this.#frame);
    this.#answer = { ...this.#answer, ending: this.#answer.ending ?? 'stop', ...changes };
    this.#show(true);
  }

  /**
   * The speed is by the model's own clock: many short pieces may reach the screen at once. How long
   * the first token took is what a person has waited.
   */
  #measure({ tokens, elapsed, contextTokens }: ChatPart): void {
    let { firstToken, tokensPerSecond, contextTokens: length } = this.#answer.figures;
    if (tokens.length > 0 && elapsed !== null) {
      firstToken ??= performance.now() - this.#begin;
      this.#first ??= { at: elapsed, tokens: tokens.length };
      const after = this.#answer.tokens.length - this.#first.tokens;
      if (after > 0) tokensPerSecond = (after / (elapsed - this.#first.at)) * 1000;
    }
    length = contextTokens ?? length;
    const figures = { firstToken, tokensPerSecond, contextTokens: length };
    this.#answer = { ...this.#answer, figures };
  }

  #show(keep: boolean): void {
    // Unless it was deleted meanwhile.
    if (messagesOf(this.#conversation).length === 0) return;
    setMessages(this.#conversation, [...this.#question, this.#answer], keep);
  }
}

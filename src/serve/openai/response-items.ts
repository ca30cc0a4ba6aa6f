/** The items of a response: what the model thought, said and called, as they grow. */
import { randomUUID } from 'node:crypto';
import type { ServerContext } from '../context.ts';
import type { ChatEvent } from '../generation/chat.ts';
import type { TextToken } from '../generation/text-stream.ts';
import { chatLogprob } from './logprobs.ts';

type Status = 'in_progress' | 'completed' | 'incomplete';

export interface ReasoningItem {
  id: string;
  type: 'reasoning';
  status: Status;
  summary: [];
  content: { type: 'reasoning_text'; text: string }[];
}

export interface MessageItem {
  id: string;
  type: 'message';
  status: Status;
  role: 'assistant';
  content: { type: 'output_text'; text: string; annotations: []; logprobs: object[] }[];
}

export interface CallItem {
  id: string;
  type: 'function_call';
  status: Status;
  call_id: string;
  name: string;
  arguments: string;
}

export type OutputItem = ReasoningItem | MessageItem | CallItem;

export type ResponseEvent = { type: string } & Record<string, unknown>;

/** Turns an answer into items, and says each change of them as the API's events do. */
export class ResponseItems {
  readonly items: OutputItem[] = [];
  readonly #context: ServerContext;
  readonly #withLogprobs: boolean;

  constructor(context: ServerContext, withLogprobs: boolean) {
    this.#context = context;
    this.#withLogprobs = withLogprobs;
  }

  add(event: Exclude<ChatEvent, { type: 'prompt' | 'finish' }>): ResponseEvent[] {
    switch (event.type) {
      case 'reasoning-delta':
        return this.#addReasoning(event.text);
      case 'text-delta':
      // A call of a function that was not offered is shown as it was written.
      case 'unknown-tool-call':
        return this.#addText(event.text, event.tokens);
      case 'tool-call-start':
        return this.#startCall(event.name);
      case 'tool-call-delta':
        return this.#addArguments(event.json);
      case 'tool-call':
        return this.end();
      case 'cut-off-tool-call':
        return this.end('incomplete');
    }
  }

  /** Completes the last item. */
  end(status: Status = 'completed'): ResponseEvent[] {
    const item = this.items.at(-1);
    if (item === undefined || item.status !== 'in_progress') return [];
    item.status = status;
    return [...this.#contentDone(item), this.#at('response.output_item.done', { item })];
  }

  #addReasoning(delta: string): ResponseEvent[] {
    const { item, events } = this.#open('reasoning', () => ({
      id: newId('rs'),
      type: 'reasoning',
      status: 'in_progress',
      summary: [],
      content: [],
    }));
    if (item.content.length === 0) {
      item.content.push({ type: 'reasoning_text', text: '' });
      events.push(this.#inPart('response.content_part.added', item, { part: item.content[0] }));
    }
    item.content[0]!.text += delta;
    return [...events, this.#inPart('response.reasoning_text.delta', item, { delta })];
  }

  #addText(delta: string, tokens: readonly TextToken[]): ResponseEvent[] {
    const { item, events } = this.#open('message', () => ({
      id: newId('msg'),
      type: 'message',
      status: 'in_progress',
      role: 'assistant',
      content: [],
    }));
    if (item.content.length === 0) {
      item.content.push({ type: 'output_text', text: '', annotations: [], logprobs: [] });
      events.push(this.#inPart('response.content_part.added', item, { part: item.content[0] }));
    }
    const { tokenizer } = this.#context.text;
    const scores = this.#withLogprobs ? tokens.flatMap(({ score }) => score ?? []) : [];
    const logprobs = scores.map((score) => chatLogprob(tokenizer, score));
    item.content[0]!.text += delta;
    item.content[0]!.logprobs.push(...logprobs);
    return [...events, this.#inPart('response.output_text.delta', item, { delta, logprobs })];
  }

  #startCall(name: string): ResponseEvent[] {
    const { events } = this.#open('function_call', () => ({
      id: newId('fc'),
      type: 'function_call',
      status: 'in_progress',
      call_id: newId('call'),
      name,
      arguments: '',
    }));
    return events;
  }

  #addArguments(delta: string): ResponseEvent[] {
    const item = this.items.at(-1) as CallItem;
    item.arguments += delta;
    return [this.#at('response.function_call_arguments.delta', { item_id: item.id, delta })];
  }

  /** The last item if it is open and of this type, or else a new one. */
  #open<Type extends OutputItem['type']>(
    type: Type,
    create: () => Extract<OutputItem, { type: Type }>,
  ): { item: Extract<OutputItem, { type: Type }>; events: ResponseEvent[] } {
    const last = this.items.at(-1);
    if (last?.type === type && last.status === 'in_progress') {
      return { item: last as Extract<OutputItem, { type: Type }>, events: [] };
    }
    const events = this.end();
    const item = create();
    this.items.push(item);
    events.push(this.#at('response.output_item.added', { item }));
    return { item, events };
  }

  #contentDone(item: OutputItem): ResponseEvent[] {
    if (item.type === 'function_call') {
      const { id, name, arguments: json } = item;
      const type = 'response.function_call_arguments.done';
      return [this.#at(type, { item_id: id, name, arguments: json })];
    }
    const part = item.content[0]!;
    const { text } = part;
    const type = item.type === 'reasoning' ? 'reasoning_text' : 'output_text';
    const logprobs = 'logprobs' in part ? { logprobs: part.logprobs } : {};
    return [
      this.#inPart(`response.${type}.done`, item, { text, ...logprobs }),
      this.#inPart('response.content_part.done', item, { part }),
    ];
  }

  #inPart(type: string, { id }: OutputItem, fields: Record<string, unknown>): ResponseEvent {
    return this.#at(type, { item_id: id, content_index: 0, ...fields });
  }

  /** Copied, as items grow after their first events were said. */
  #at(type: string, fields: Record<string, unknown>): ResponseEvent {
    return structuredClone({ type, output_index: this.items.length - 1, ...fields });
  }
}

function newId(prefix: string): string {
  return `${prefix}_${randomUUID().replaceAll('-', '')}`;
}

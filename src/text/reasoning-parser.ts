/**
 * Parts a response into thinking and answer while it is being generated.
 *
 * Where a response starts is decided by the prompt alone: MiMo's template prefills `<think></think>`
 * when thinking is off and nothing when it is on. Looking for `</think>` anywhere in the prompt, as
 * some servers do, is wrong as soon as a chat has history or tools.
 */
import { TagScanner } from './tag-scanner.ts';

export type ReasoningEvent =
  | { type: 'reasoning-delta'; text: string }
  | { type: 'text-delta'; text: string };

/** `undecided`: thinks if `<think>` comes first. */
export type ReasoningStart = 'undecided' | 'reasoning' | 'text';

/** Where the response to a rendered prompt starts. */
export function reasoningStart(prompt: string): ReasoningStart {
  const end = prompt.trimEnd();
  if (end.endsWith('</think>')) return 'text';
  return end.endsWith('<think>') ? 'reasoning' : 'undecided';
}

const OPENING = new TagScanner({ think: '<think>' });
/** A tool call that starts while thinking ends it; a `<tool_call>` merely spoken of does not. */
const CLOSING = new TagScanner({ close: '</think>', call: '<tool_call> <function=' });
/** What a model may still write after a call that it made while thinking. */
const LATE_CLOSING = new TagScanner({ close: '</tool_call> </think>' });

export class ReasoningParser {
  /** `late` is `text` after a call ended the thinking, when `</think>` may still come. */
  #state: ReasoningStart | 'late';
  #held = '';

  constructor(start: ReasoningStart) {
    this.#state = start;
  }

  /** Whether what came last was thinking, and it may go on. */
  get isThinking(): boolean {
    return this.#state === 'reasoning';
  }

  /** The events that the next piece of the response completes. */
  push(text: string): ReasoningEvent[] {
    const events: ReasoningEvent[] = [];
    this.#held += text;
    while (this.#step(events)) {}
    return events;
  }

  /** What was held back, now that no more comes. */
  end(): ReasoningEvent[] {
    const text = this.#held;
    this.#held = '';
    return text === '' ? [] : [{ type: this.#kind(), text }];
  }

  /** Takes what it can from the held text; whether there may be more to take. */
  #step(events: ReasoningEvent[]): boolean {
    const emit = (text: string) => {
      if (text !== '') events.push({ type: this.#kind(), text });
    };
    switch (this.#state) {
      case 'undecided': {
        const { before, tag, after } = OPENING.scan(this.#held);
        if (before.trim() !== '') {
          this.#state = 'text';
          return true;
        }
        if (tag === null) return false;
        this.#state = 'reasoning';
        this.#held = after;
        return true;
      }
      case 'reasoning': {
        const { before, tag, matched, after } = CLOSING.scan(this.#held);
        emit(before);
        this.#held = tag === 'call' ? matched + after : after;
        if (tag !== null) this.#state = tag === 'call' ? 'late' : 'text';
        return tag !== null;
      }
      case 'late': {
        const { before, tag, matched, after } = LATE_CLOSING.scan(this.#held);
        emit(before);
        this.#held = after;
        if (tag === null) return false;
        emit(matched.slice(0, '</tool_call>'.length));
        this.#state = 'text';
        return true;
      }
      case 'text':
        emit(this.#held);
        this.#held = '';
        return false;
    }
  }

  #kind(): ReasoningEvent['type'] {
    return this.#state === 'reasoning' ? 'reasoning-delta' : 'text-delta';
  }
}

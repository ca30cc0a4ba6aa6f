/**
 * Finds tool calls in an answer while it is being generated. A call is
 *
 *     <tool_call>
 *     <function=NAME>
 *     <parameter=KEY>VALUE</parameter>
 *     </function>
 *     </tool_call>
 *
 * Nothing in a value is escaped, so a closing tag counts only where the next tag of the format
 * follows it; a value may then hold closing tags, and whole calls as an example would show them.
 * What is no complete call is text: nothing is lost, and a call that was cut off is never made.
 */
import type { Tool } from './chat-messages.ts';
import { TagScanner } from './tag-scanner.ts';
import { coerceArgument } from './tool-arguments.ts';

export type ToolCallEvent =
  | { type: 'text-delta'; text: string }
  | { type: 'tool-call'; name: string; arguments: Record<string, unknown> }
  /** A call of a function that is not among the tools; `text` is the call as written. */
  | { type: 'unknown-tool-call'; name: string; text: string };

const OPENING_TAG = '<tool_call>';
const OPENING = new TagScanner({ call: '<tool_call> <function=' });
const BODY = new TagScanner({ parameter: '<parameter=', end: '</function> </tool_call>' });
const VALUE = new TagScanner({
  call: '<tool_call> <function=',
  parameter: '</parameter> <parameter=',
  end: '</parameter> </function> </tool_call>',
  // Seen from models that forget a line.
  hasty: '</parameter> </tool_call>',
  // Ends an example without parameters, but never the call that the value is in.
  inner: '</function> </tool_call>',
});
/** A response may stop at `</function>`, when `</tool_call>` was its stop text. */
const END_OF_BODY = /^\s*<\/function>\s*$/;
const END_OF_VALUE = /<\/parameter>\s*<\/function>\s*$/;

export class ToolCallParser {
  readonly #tools: ReadonlyMap<string, Tool>;
  #state: 'text' | 'between' | 'name' | 'body' | 'key' | 'value' = 'text';
  /** Text not yet taken. */
  #held = '';
  /** The call so far as written. */
  #written = '';
  #name = '';
  #values: [key: string, value: string][] = [];
  /** Calls open inside the value, as when it shows an example. */
  #depth = 0;

  /** @param tools the functions that may be called; their schemas give the types of values. */
  constructor(tools: readonly Tool[]) {
    this.#tools = new Map(tools.map((tool) => [tool.function.name, tool]));
  }

  /** The events that the next piece of the answer completes. */
  push(text: string): ToolCallEvent[] {
    const events: ToolCallEvent[] = [];
    this.#held += text;
    while (this.#step(events)) {}
    return events;
  }

  /** What was held back, now that no more comes. */
  end(): ToolCallEvent[] {
    const events: ToolCallEvent[] = [];
    if (this.#state === 'body' && END_OF_BODY.test(this.#held)) {
      this.#finishCall(events);
    } else if (this.#state === 'value' && this.#depth === 0 && END_OF_VALUE.test(this.#held)) {
      this.#addToValue(this.#held.replace(END_OF_VALUE, ''));
      this.#finishCall(events);
    } else if (this.#state !== 'between' || this.#held.trim() !== '') {
      emitText(events, this.#written + this.#held);
    }
    this.#held = '';
    this.#written = '';
    this.#state = 'text';
    return events;
  }

  /** Takes what it can from the held text; whether there may be more to take. */
  #step(events: ToolCallEvent[]): boolean {
    switch (this.#state) {
      case 'text': {
        const { before, tag, matched, after } = OPENING.scan(this.#held);
        emitText(events, before);
        this.#held = after;
        if (tag === null) return false;
        this.#written = matched;
        this.#state = 'name';
        return true;
      }
      case 'between':
        return this.#leaveBetween();
      case 'name': {
        const name = this.#takeName();
        if (typeof name !== 'string') return name.malformed && this.#giveUp(events);
        this.#name = name;
        this.#values = [];
        this.#state = 'body';
        return true;
      }
      case 'body': {
        const { before, tag, matched, after } = BODY.scan(this.#held);
        if (before.trim() !== '') return this.#giveUp(events);
        if (tag === null) return false;
        this.#take(before + matched, after);
        if (tag === 'end') this.#finishCall(events);
        else this.#state = 'key';
        return true;
      }
      case 'key': {
        const key = this.#takeName();
        if (typeof key !== 'string') return key.malformed && this.#giveUp(events);
        this.#values.push([key, '']);
        this.#depth = 0;
        this.#state = 'value';
        return true;
      }
      case 'value': {
        const { before, tag, matched, after } = VALUE.scan(this.#held);
        this.#take(before + matched, after);
        this.#addToValue(before);
        if (tag === null) return false;
        if (tag === 'call' || tag === 'inner' || this.#depth > 0) {
          this.#addToValue(matched);
          if (tag === 'call') this.#depth++;
          else if (tag !== 'parameter') this.#depth = Math.max(0, this.#depth - 1);
        } else if (tag === 'parameter') {
          this.#state = 'key';
        } else {
          this.#finishCall(events);
        }
        return true;
      }
    }
  }

  /** Whitespace after a call is no text if another call, or nothing, follows. */
  #leaveBetween(): boolean {
    const rest = this.#held.trimStart();
    if (rest === '') return false;
    const { before, tag } = OPENING.scan(rest);
    if (before === '' && tag === null) return false;
    if (before === '') this.#held = rest;
    this.#state = 'text';
    return true;
  }

  /** Takes a name and the `>` after it, which has to come on the same line and before any tag. */
  #takeName(): string | { malformed: boolean } {
    const end = this.#held.search(/[<>\n]/);
    if (end < 0) return { malformed: false };
    const name = this.#held.slice(0, end).trim();
    if (this.#held[end] !== '>' || name === '') return { malformed: true };
    this.#take(this.#held.slice(0, end + 1), this.#held.slice(end + 1));
    return name;
  }

  #take(taken: string, rest: string): void {
    this.#written += taken;
    this.#held = rest;
  }

  #addToValue(text: string): void {
    this.#values.at(-1)![1] += text;
  }

  /** What looked like a call is none: its first tag is text, and the rest is looked at anew. */
  #giveUp(events: ToolCallEvent[]): true {
    emitText(events, OPENING_TAG);
    this.#held = this.#written.slice(OPENING_TAG.length) + this.#held;
    this.#written = '';
    this.#state = 'text';
    return true;
  }

  #finishCall(events: ToolCallEvent[]): void {
    const name = this.#name;
    const tool = this.#tools.get(name);
    if (tool === undefined) {
      events.push({ type: 'unknown-tool-call', name, text: this.#written });
    } else {
      const properties = tool.function.parameters?.properties as
        | Record<string, unknown>
        | undefined;
      events.push({
        type: 'tool-call',
        name,
        arguments: Object.fromEntries(
          this.#values.map(([key, value]) => [key, coerceArgument(value, properties?.[key])]),
        ),
      });
    }
    this.#written = '';
    this.#state = 'between';
  }
}

function emitText(events: ToolCallEvent[], text: string): void {
  if (text !== '') events.push({ type: 'text-delta', text });
}

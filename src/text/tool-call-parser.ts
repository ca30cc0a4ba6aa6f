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
 *
 * A call starts with its first parameter. From there on every text is part of a call, so that its
 * arguments can go out as they come; only the end of the answer can still cut it off.
 */
import { ArgumentsWriter } from './arguments-writer.ts';
import type { Tool } from './chat-messages.ts';
import { TagScanner } from './tag-scanner.ts';

export type ToolCallEvent =
  | { type: 'text-delta'; text: string }
  | { type: 'tool-call-start'; name: string }
  /** More of the arguments of the call that started last, as JSON; closed only by a whole call. */
  | { type: 'tool-call-delta'; json: string }
  /** The call that started last is complete; `json` is all its deltas. */
  | { type: 'tool-call'; name: string; arguments: Record<string, unknown>; json: string }
  /** The answer ended in the call that started last; `text` is the call as written. */
  | { type: 'cut-off-tool-call'; name: string; text: string }
  /** A call of a function that is not among the tools; `text` is the call as written. */
  | { type: 'unknown-tool-call'; name: string; text: string };

const OPENING_TAG = '<tool_call>';
const OPENING = new TagScanner({ call: '<tool_call> <function=*>' });
const BODY = new TagScanner({ parameter: '<parameter=*>', end: '</function> </tool_call>' });
const VALUE = new TagScanner({
  call: '<tool_call> <function=',
  parameter: '</parameter> <parameter=*>',
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
  #state: 'text' | 'between' | 'body' | 'value' = 'text';
  /** Text not yet taken. */
  #held = '';
  /** The call so far as written. */
  #written = '';
  #name = '';
  /** None if the function is unknown. */
  #arguments: ArgumentsWriter | null = null;
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
      this.#startCall(events);
      this.#finishCall(events);
    } else if (this.#state === 'value' && this.#depth === 0 && END_OF_VALUE.test(this.#held)) {
      this.#addToValue(events, this.#held.replace(END_OF_VALUE, ''));
      this.#finishCall(events);
    } else if (this.#state === 'value' && this.#arguments !== null) {
      const text = this.#written + this.#held;
      events.push({ type: 'cut-off-tool-call', name: this.#name, text });
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
        this.#name = nameIn(matched);
        this.#state = 'body';
        return true;
      }
      case 'between':
        return this.#leaveBetween();
      case 'body': {
        const { before, tag, matched, after } = BODY.scan(this.#held);
        if (before.trim() !== '') return this.#giveUp(events);
        if (tag === null) return false;
        this.#take(before + matched, after);
        this.#startCall(events);
        if (tag === 'end') this.#finishCall(events);
        else this.#beginValue(events, nameIn(matched));
        return true;
      }
      case 'value': {
        const { before, tag, matched, after } = VALUE.scan(this.#held);
        this.#take(before + matched, after);
        this.#addToValue(events, before);
        if (tag === null) return false;
        if (tag === 'call' || tag === 'inner' || this.#depth > 0) {
          this.#addToValue(events, matched);
          if (tag === 'call') this.#depth++;
          else if (tag !== 'parameter') this.#depth = Math.max(0, this.#depth - 1);
        } else if (tag === 'parameter') {
          this.#beginValue(events, nameIn(matched));
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

  #take(taken: string, rest: string): void {
    this.#written += taken;
    this.#held = rest;
  }

  /** What looked like a call is none: its first tag is text, and the rest is looked at anew. */
  #giveUp(events: ToolCallEvent[]): true {
    emitText(events, OPENING_TAG);
    this.#held = this.#written.slice(OPENING_TAG.length) + this.#held;
    this.#written = '';
    this.#state = 'text';
    return true;
  }

  #startCall(events: ToolCallEvent[]): void {
    const tool = this.#tools.get(this.#name);
    this.#arguments = null;
    if (tool === undefined) return;
    this.#arguments = new ArgumentsWriter(tool.function.parameters?.properties);
    events.push({ type: 'tool-call-start', name: this.#name });
  }

  #beginValue(events: ToolCallEvent[], key: string): void {
    emitJson(events, this.#arguments?.begin(key));
    this.#depth = 0;
    this.#state = 'value';
  }

  #addToValue(events: ToolCallEvent[], text: string): void {
    emitJson(events, this.#arguments?.add(text));
  }

  #finishCall(events: ToolCallEvent[]): void {
    const name = this.#name;
    if (this.#arguments === null) {
      events.push({ type: 'unknown-tool-call', name, text: this.#written });
    } else {
      emitJson(events, this.#arguments.end());
      const { json } = this.#arguments;
      events.push({ type: 'tool-call', name, arguments: JSON.parse(json), json });
    }
    this.#written = '';
    this.#state = 'between';
  }
}

/** The name in a tag, or in the only one of several that has one. */
function nameIn(tags: string): string {
  return tags.slice(tags.indexOf('=') + 1, -1).trim();
}

function emitText(events: ToolCallEvent[], text: string): void {
  if (text !== '') events.push({ type: 'text-delta', text });
}

function emitJson(events: ToolCallEvent[], json = ''): void {
  const last = events.at(-1);
  if (last?.type === 'tool-call-delta') last.json += json;
  else if (json !== '') events.push({ type: 'tool-call-delta', json });
}

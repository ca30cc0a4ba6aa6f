/** Both parsers in a row: a response as it is generated, into thinking, text and tool calls. */
import type { Tool } from './chat-messages.ts';
import { type ReasoningEvent, ReasoningParser, reasoningStart } from './reasoning-parser.ts';
import { type ToolCallEvent, ToolCallParser } from './tool-call-parser.ts';

export type ResponseEvent = ReasoningEvent | ToolCallEvent;

export class ResponseParser {
  readonly #reasoning: ReasoningParser;
  readonly #toolCalls: ToolCallParser | null;

  /**
   * @param prompt the rendered prompt; its end says whether the response may start with thinking.
   * @param tools what may be called; with none, tool calls are text.
   */
  constructor(prompt: string, tools: readonly Tool[] = []) {
    this.#reasoning = new ReasoningParser(reasoningStart(prompt));
    this.#toolCalls = tools.length > 0 ? new ToolCallParser(tools) : null;
  }

  /** Whether what came last was thinking, and it may go on. */
  get isThinking(): boolean {
    return this.#reasoning.isThinking;
  }

  /** The events that the next piece of the response completes. */
  push(text: string): ResponseEvent[] {
    return this.#reasoning.push(text).flatMap((event) => this.#findCalls(event));
  }

  /** What was held back, now that no more comes. */
  end(): ResponseEvent[] {
    const events = this.#reasoning.end().flatMap((event) => this.#findCalls(event));
    return [...events, ...(this.#toolCalls?.end() ?? [])];
  }

  #findCalls(event: ReasoningEvent): ResponseEvent[] {
    if (event.type === 'reasoning-delta' || this.#toolCalls === null) return [event];
    return this.#toolCalls.push(event.text);
  }
}

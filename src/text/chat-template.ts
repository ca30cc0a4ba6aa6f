/**
 * Renders a chat to the text, and to the ids, that a model is given. The template is the
 * checkpoint's own where it has one, and MiMo's (`mimo-template.ts`) where it has none.
 */
import { Template } from '@huggingface/jinja';
import { UserError } from '../errors.ts';
import {
  type ChatMessage,
  type RegularMessage,
  regularMessages,
  type Tool,
} from './chat-messages.ts';
import { mimoRenderer } from './mimo-renderer.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface ChatOptions {
  tools?: readonly Tool[];
  /** Whether the model is to think first; left out, as the template decides (MiMo's: no). */
  enableThinking?: boolean;
  /** Whether earlier turns keep their reasoning; left out, as the template decides (MiMo's: yes). */
  keepAllReasoning?: boolean;
  /** End with the opening of the assistant's turn. */
  addGenerationPrompt?: boolean;
}

export class ChatTemplate {
  /** The Jinja text. */
  readonly source: string;
  readonly #origin: string;
  readonly #template: Template;
  readonly #mimo: ReturnType<typeof mimoRenderer>;

  /**
   * @param origin what to call the template in messages.
   * @throws {UserError} if it is not a Jinja template.
   */
  constructor(source: string, origin = 'chat_template.jinja') {
    this.source = source;
    this.#origin = origin;
    this.#mimo = mimoRenderer(source);
    try {
      this.#template = new Template(source);
    } catch (error) {
      throw new UserError(`${origin}: is not a valid Jinja template: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /**
   * Renders messages in regular form.
   *
   * @throws {UserError} if the template refuses them, as some do for roles out of order.
   */
  render(messages: readonly RegularMessage[], options: ChatOptions): string {
    const { tools, enableThinking, keepAllReasoning, addGenerationPrompt = false } = options;
    const known = this.#mimo?.(messages, options);
    if (known !== undefined) return known;
    try {
      return this.#template.render({
        messages,
        add_generation_prompt: addGenerationPrompt,
        ...(tools?.length ? { tools } : {}),
        ...(enableThinking === undefined ? {} : { enable_thinking: enableThinking }),
        ...(keepAllReasoning === undefined ? {} : { keep_all_reasoning: keepAllReasoning }),
      });
    } catch (error) {
      throw new UserError(`${this.#origin}: cannot render the messages: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
}

/**
 * The chat as text, for people to read: a control token that a message spells out looks like a real
 * one in it. Give models `encodeChat`.
 *
 * @throws {UserError} naming the message and field that cannot be rendered.
 */
export function renderChat(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: ChatOptions = {},
): string {
  return template.render(regularMessages(messages), options);
}

/**
 * The chat as ids. Control tokens come from the template alone: those spelled out in messages and
 * tools are encoded as their spelling.
 *
 * @throws {UserError} naming the message and field that cannot be rendered.
 */
export function encodeChat(
  tokenizer: Tokenizer,
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: ChatOptions = {},
): number[] {
  return tokenizer.encode(renderGuarded(tokenizer, template, regularMessages(messages), options));
}

/** Renders with the control tokens in `messages` and `options.tools` guarded. */
export function renderGuarded(
  tokenizer: Tokenizer,
  template: ChatTemplate,
  messages: readonly RegularMessage[],
  options: ChatOptions,
): string {
  const { tools, ...rest } = options;
  return template.render(guardStrings(tokenizer, messages), {
    ...rest,
    ...(tools === undefined ? {} : { tools: guardStrings(tokenizer, tools) }),
  });
}

/** A copy of a JSON value with every string, and every key, guarded. */
function guardStrings<Value>(tokenizer: Tokenizer, value: Value): Value {
  const guard = (inner: unknown): unknown => {
    if (typeof inner === 'string') return tokenizer.guard(inner);
    if (Array.isArray(inner)) return inner.map(guard);
    if (typeof inner !== 'object' || inner === null) return inner;
    return Object.fromEntries(
      Object.entries(inner).map(([key, field]) => [tokenizer.guard(key), guard(field)]),
    );
  };
  return guard(value) as Value;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** An answer in the two forms of `/v1/chat/completions`: in chunks, and whole. */
import type { ServerContext } from '../context.ts';
import type { ChatEvent, ChatFinish, ChatUsage } from '../generation/chat.ts';
import type { TextToken } from '../generation/text-stream.ts';
import { randomId } from '../random-id.ts';
import { chatLogprob } from './logprobs.ts';

type PartEvent = Exclude<ChatEvent, { type: 'prompt' } | ChatFinish>;
type DeltaEvent = Exclude<PartEvent, { type: 'tool-call' }>;

interface Delta {
  role?: 'assistant';
  content?: string | null;
  reasoning_content?: string;
  tool_calls?: object[];
}

const finishReasons = { stop: 'stop', length: 'length', 'tool-calls': 'tool_calls' } as const;

export interface WrittenOptions {
  logprobs: boolean;
  tokens: boolean;
}

/** What all chunks of one response have in common. */
export class ChatResponse {
  readonly #context: ServerContext;
  readonly #options: WrittenOptions;
  readonly #head;
  readonly #begin = performance.now();

  constructor(context: ServerContext, options: WrittenOptions) {
    this.#context = context;
    this.#options = options;
    this.#head = {
      id: `chatcmpl-${randomId()}`,
      created: Math.floor(Date.now() / 1000),
      model: context.modelName,
      system_fingerprint: context.engine.weightVersion,
    };
  }

  /** The first chunk of a choice. */
  opening(index: number): object {
    return this.#chunk(index, { role: 'assistant', content: '' });
  }

  /** @param calls how many tool calls the choice has had before. */
  part(index: number, event: DeltaEvent, calls: number): object {
    return this.#chunk(index, deltaOf(event, calls), null, event.tokens);
  }

  closing(index: number, { reason, tokens }: ChatFinish): object {
    return this.#chunk(index, {}, finishReasons[reason], tokens);
  }

  /** The last chunk, of a client that asked for it. */
  usage(usages: readonly ChatUsage[]): object {
    const object = 'chat.completion.chunk';
    return { ...this.#head, object, choices: [], usage: usageOf(usages) };
  }

  /** @param choices the events of each choice. */
  whole(choices: readonly (readonly ChatEvent[])[]): object {
    const finishes = choices.map((events) => events.find((event) => event.type === 'finish')!);
    return {
      ...this.#head,
      object: 'chat.completion',
      choices: choices.map((events, index) => {
        const parts = events.filter((event) => event.type !== 'prompt');
        return {
          index,
          message: messageOf(parts.filter((event) => event.type !== 'finish')),
          finish_reason: finishReasons[finishes[index]!.reason],
          ...this.#perToken(parts.flatMap(({ tokens }) => tokens)),
        };
      }),
      usage: usageOf(finishes.map(({ usage }) => usage)),
    };
  }

  #chunk(
    index: number,
    delta: Delta,
    finishReason: string | null = null,
    tokens: readonly TextToken[] = [],
  ): object {
    const choice = { index, delta, finish_reason: finishReason, ...this.#perToken(tokens) };
    return { ...this.#head, object: 'chat.completion.chunk', choices: [choice] };
  }

  #perToken(tokens: readonly TextToken[]): object {
    const { tokenizer } = this.#context.text;
    const { logprobs, tokens: withTokens } = this.#options;
    const scores = tokens.flatMap(({ score }) => (score === undefined ? [] : [score]));
    return {
      logprobs: logprobs
        ? { content: scores.map((score) => chatLogprob(tokenizer, score)), refusal: null }
        : null,
      ...(withTokens && {
        tokens: tokens.map(({ id, text, head }) => ({ id, text, head })),
        elapsed_ms: performance.now() - this.#begin,
      }),
    };
  }
}

function deltaOf(event: DeltaEvent, calls: number): Delta {
  switch (event.type) {
    case 'reasoning-delta':
      return { reasoning_content: event.text };
    case 'text-delta':
    // A call of a function that was not offered is shown as it was written.
    case 'unknown-tool-call':
      return { content: event.text };
    case 'tool-call-start':
      return { tool_calls: [{ index: calls, ...toolCallOf(event.name, '') }] };
    case 'tool-call-delta':
      return { tool_calls: [{ index: calls, function: { arguments: event.json } }] };
    // Most of it is sent; it stays a call that is not closed.
    case 'cut-off-tool-call':
      return {};
  }
}

function messageOf(parts: readonly PartEvent[]): object {
  const textOf = (...types: PartEvent['type'][]) =>
    parts.map((part) => (types.includes(part.type) && 'text' in part ? part.text : '')).join('');
  const reasoning = textOf('reasoning-delta');
  const content = textOf('text-delta', 'unknown-tool-call', 'cut-off-tool-call');
  const calls = parts
    .filter((part) => part.type === 'tool-call')
    .map(({ name, json }) => toolCallOf(name, json));
  return {
    role: 'assistant',
    content: content === '' && calls.length > 0 ? null : content,
    refusal: null,
    ...(reasoning !== '' && { reasoning_content: reasoning }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

function toolCallOf(name: string, json: string): object {
  return { id: `call_${randomId()}`, type: 'function', function: { name, arguments: json } };
}

/** The sum over the choices; they share the prompt. */
function usageOf(usages: readonly ChatUsage[]): object {
  const { promptTokens, cachedTokens } = usages[0]!;
  const sum = (count: (usage: ChatUsage) => number) =>
    usages.reduce((total, usage) => total + count(usage), 0);
  const completionTokens = sum((usage) => usage.completionTokens);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    completion_tokens_details: { reasoning_tokens: sum((usage) => usage.reasoningTokens) },
  };
}

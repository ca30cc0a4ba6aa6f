/** An answer as Anthropic's message: blocks, whole or in events. */
import { randomUUID } from 'node:crypto';
import type { ServerEvent } from '../event-stream.ts';
import type { ChatEvent, ChatFinish, ChatUsage } from '../generation/chat.ts';

export interface MessageHead {
  id: string;
  model: string;
}

type Block =
  | { type: 'thinking'; thinking: string; signature: string }
  | { type: 'text'; text: string }
  | { type: 'tool_use'; id: string; name: string; input: Record<string, unknown> };

type StreamedEvent = Exclude<
  ChatEvent,
  { type: 'prompt' | 'finish' | 'tool-call' | 'cut-off-tool-call' }
>;

/** Clients only send thinking back that is signed; nobody here keeps it from being changed. */
const signature = 'unsigned';

/** The blocks of a whole answer. */
export function blocksOf(events: readonly ChatEvent[]): Block[] {
  const blocks: Block[] = [];
  for (const event of events) {
    const block = blockOf(event);
    if (block === null) continue;
    const last = blocks.at(-1);
    if (block.type === 'text' && last?.type === 'text') last.text += block.text;
    else if (block.type === 'thinking' && last?.type === 'thinking') {
      last.thinking += block.thinking;
    } else blocks.push(block);
  }
  return blocks;
}

export function messageOf(head: MessageHead, content: Block[], finish: ChatFinish): object {
  return {
    ...messageStart(head, finish.usage.promptTokens, finish.usage.cachedTokens),
    content,
    ...stopOf(finish),
    usage: usageOf(finish.usage),
  };
}

/** The events of a stream: every block has a start, deltas and a stop. */
export async function* messageEvents(
  head: MessageHead,
  promptTokens: number,
  events: AsyncGenerator<ChatEvent>,
): AsyncGenerator<ServerEvent> {
  let index = -1;
  let open: Block['type'] | null = null;
  const close = function* () {
    if (open === 'thinking') {
      const delta = { type: 'signature_delta', signature };
      yield named({ type: 'content_block_delta', index, delta });
    }
    if (open !== null) yield named({ type: 'content_block_stop', index });
  };
  for await (const event of events) {
    if (event.type === 'prompt') {
      const message = messageStart(head, promptTokens, event.cachedTokens);
      yield named({ type: 'message_start', message });
    } else if (event.type === 'finish') {
      yield* close();
      yield named({
        type: 'message_delta',
        delta: stopOf(event),
        usage: usageOf(event.usage),
      });
      yield named({ type: 'message_stop' });
    } else if (event.type === 'tool-call' || event.type === 'cut-off-tool-call') {
      yield* close();
      open = null;
    } else {
      const block = openingOf(event);
      if (block !== null && block.type !== open) {
        yield* close();
        index++;
        open = block.type;
        yield named({ type: 'content_block_start', index, content_block: block });
      }
      const delta = deltaOf(event);
      if (delta !== null) yield named({ type: 'content_block_delta', index, delta });
    }
  }
}

/** The block that a part of a whole answer makes, if any. */
function blockOf(event: ChatEvent): Block | null {
  switch (event.type) {
    case 'reasoning-delta':
      return { type: 'thinking', thinking: event.text, signature };
    case 'text-delta':
    // A call of a function that was not offered, or that was cut off, is shown as it was written.
    case 'unknown-tool-call':
    case 'cut-off-tool-call':
      return { type: 'text', text: event.text };
    case 'tool-call':
      return toolUse(event.name, event.arguments);
    default:
      return null;
  }
}

/** The empty block that an event needs open; `null` if it goes on with the one that is. */
function openingOf(event: StreamedEvent): Block | null {
  switch (event.type) {
    case 'reasoning-delta':
      return { type: 'thinking', thinking: '', signature: '' };
    case 'text-delta':
    case 'unknown-tool-call':
      return { type: 'text', text: '' };
    case 'tool-call-start':
      return toolUse(event.name, {});
    case 'tool-call-delta':
      return null;
  }
}

function deltaOf(event: StreamedEvent): object | null {
  switch (event.type) {
    case 'reasoning-delta':
      return { type: 'thinking_delta', thinking: event.text };
    case 'text-delta':
    case 'unknown-tool-call':
      return { type: 'text_delta', text: event.text };
    case 'tool-call-start':
      return null;
    case 'tool-call-delta':
      return { type: 'input_json_delta', partial_json: event.json };
  }
}

function toolUse(name: string, input: Record<string, unknown>): Block {
  return { type: 'tool_use', id: `toolu_${randomUUID().replaceAll('-', '')}`, name, input };
}

function messageStart(head: MessageHead, promptTokens: number, cachedTokens: number) {
  const usage = { promptTokens, cachedTokens, completionTokens: 0, reasoningTokens: 0 };
  return {
    ...head,
    type: 'message',
    role: 'assistant',
    content: [] as Block[],
    stop_reason: null,
    stop_sequence: null,
    usage: usageOf(usage),
  };
}

function stopOf({ reason, stopString }: ChatFinish) {
  const reasons = { stop: 'end_turn', length: 'max_tokens', 'tool-calls': 'tool_use' } as const;
  return {
    stop_reason: stopString === null ? reasons[reason] : 'stop_sequence',
    stop_sequence: stopString,
  };
}

function usageOf({ promptTokens, cachedTokens, completionTokens }: ChatUsage) {
  return {
    input_tokens: promptTokens - cachedTokens,
    cache_read_input_tokens: cachedTokens,
    cache_creation_input_tokens: 0,
    output_tokens: completionTokens,
  };
}

function named<Data extends { type: string }>(data: Data): ServerEvent {
  return { event: data.type, data };
}

/** Reads the stream of `/v1/chat/completions`. */
import type { DraftedToken, Ending } from '../chat/message.ts';
import type { ToolCallPiece } from '../chat/tool-calls.ts';
import type { Fetch } from './connection.ts';
import { Failure, goodResponse } from './failure.ts';
import { serverEvents } from './server-events.ts';

export interface ChatPart {
  reasoning: string;
  content: string;
  toolCalls: readonly ToolCallPiece[];
  tokens: readonly DraftedToken[];
  /** Since the model was asked, in milliseconds; `null` in a part without an answer. */
  elapsed: number | null;
  ending: Ending | null;
  /** Of prompt and answer; in the last part. */
  contextTokens: number | null;
}

interface Chunk {
  error?: { message: string };
  usage?: { total_tokens: number };
  choices: {
    delta: {
      content?: string | null;
      reasoning_content?: string;
      tool_calls?: ToolCallPiece[];
    };
    finish_reason: 'stop' | 'length' | 'tool_calls' | null;
    tokens?: { text: string; head: number | null }[];
    elapsed_ms?: number;
  }[];
}

/** @throws {Failure} with what the server says is wrong. */
export async function* streamChat(
  fetch: Fetch,
  body: object,
  signal: AbortSignal,
): AsyncGenerator<ChatPart> {
  const response = await goodResponse(await fetch('v1/chat/completions', { body, signal }));
  for await (const data of serverEvents(response.body!)) {
    if (data === '[DONE]') return;
    yield partOf(JSON.parse(data) as Chunk);
  }
  throw new Failure('the stream ended before the answer did');
}

function partOf({ error, usage, choices }: Chunk): ChatPart {
  if (error !== undefined) throw new Failure(error.message);
  const [choice] = choices;
  const { content, reasoning_content, tool_calls = [] } = choice?.delta ?? {};
  const reason = choice?.finish_reason ?? null;
  return {
    reasoning: reasoning_content ?? '',
    content: content ?? '',
    toolCalls: tool_calls,
    tokens: (choice?.tokens ?? []).map(({ text, head }) => [text, head]),
    elapsed: choice?.elapsed_ms ?? null,
    ending: reason === 'tool_calls' ? 'tool-calls' : reason,
    contextTokens: usage?.total_tokens ?? null,
  };
}

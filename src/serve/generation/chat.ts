/** A chat and its answer as the chat APIs share it; each API only renames what is here. */

import { UserError } from '../../errors.ts';
import { type ChatMessage, regularMessages, type Tool } from '../../text/chat-messages.ts';
import { renderGuarded } from '../../text/chat-template.ts';
import { type ResponseEvent, ResponseParser } from '../../text/response-parser.ts';
import type { ServerContext } from '../context.ts';
import { invalid } from '../errors.ts';
import type { SamplingParameters } from '../serving-engine.ts';
import { type AnswerFinish, answer } from './answer.ts';
import { type AnswerFormat, chatGrammar, type ToolUse } from './output-format.ts';
import {
  checkGrammar,
  encodePrompts,
  stopTokensOf,
  type TextRequest,
  tokensLeft,
} from './request.ts';
import type { TextToken } from './text-stream.ts';

export interface ChatPrompt {
  messages: readonly ChatMessage[];
  /** What may be called; with none, calls are text. */
  tools: readonly Tool[];
  /** Left out, as the template decides. */
  thinking?: boolean | undefined;
  keepAllReasoning?: boolean | undefined;
}

export interface ChatTask extends Omit<ChatPrompt, 'tools'> {
  toolUse: ToolUse;
  format: AnswerFormat;
  /** What the API calls the format, for errors. */
  formatField: string;
  sampling: SamplingParameters;
  /** Most tokens of thinking. */
  thinkingBudget?: number | undefined;
  maxTokens?: number | null | undefined;
  stops: readonly string[];
  /** By default those of the model. */
  stopTokens?: readonly number[];
  logprobs?: { top: number } | undefined;
  cacheSalt?: string | undefined;
}

/** A chat ready to be answered, any number of times. */
export interface PreparedChat {
  rendered: string;
  tools: readonly Tool[];
  parallelToolCalls: boolean;
  thinkingBudget: number | undefined;
  request: Omit<TextRequest, 'seed'>;
}

export type ChatEvent =
  | { type: 'prompt'; cachedTokens: number }
  | (ResponseEvent & {
      /** The tokens since the last event; the cuts of text and tokens need not agree. */
      tokens: readonly TextToken[];
    })
  | ChatFinish;

export interface ChatFinish {
  type: 'finish';
  reason: 'stop' | 'length' | 'tool-calls';
  /** The stop string that ended the answer. */
  stopString: string | null;
  usage: ChatUsage;
  /** Those that no event was left for. */
  tokens: readonly TextToken[];
}

export interface ChatUsage {
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
  /** Of these, tokens of the thinking. */
  reasoningTokens: number;
}

/**
 * The chat as the template writes it.
 *
 * @param field what the API calls the messages, for errors.
 * @throws {ApiError} if they cannot be rendered.
 */
export function renderPrompt(
  { text: { tokenizer, chatTemplate } }: ServerContext,
  { messages, tools, thinking, keepAllReasoning }: ChatPrompt,
  field: string,
): string {
  try {
    return renderGuarded(tokenizer, chatTemplate, regularMessages(messages), {
      tools,
      ...(thinking !== undefined && { enableThinking: thinking }),
      ...(keepAllReasoning !== undefined && { keepAllReasoning }),
      addGenerationPrompt: true,
    });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const named = /^(messages\S*): (.*)$/s.exec(error.message);
    if (named !== null) throw invalid(named[1]!, named[2]!);
    // The template is a file of ours, of which the path is nobody's business.
    const reason = error.cause instanceof Error ? `: ${error.cause.message}` : '';
    throw invalid(field, `the chat template does not take them${reason}`);
  }
}

/**
 * Renders and encodes a chat.
 *
 * @param field what the API calls the messages, for errors.
 * @throws {ApiError} if it does not fit the model's context.
 */
export async function prepareChat(
  context: ServerContext,
  task: ChatTask,
  field: string,
): Promise<PreparedChat> {
  const { tools, parallel } = task.toolUse;
  const rendered = renderPrompt(context, { ...task, tools }, field);
  const grammar = chatGrammar(rendered, task.format, task.toolUse);
  await checkGrammar(context, grammar, task.format.kind === 'any' ? 'tools' : task.formatField);
  const [ids] = await encodePrompts(context, [rendered]);
  return {
    rendered,
    tools,
    parallelToolCalls: parallel,
    thinkingBudget: task.thinkingBudget,
    request: {
      prompt: ids!,
      sampling: task.sampling,
      maxTokens: tokensLeft(context, ids!.length, field, task.maxTokens),
      stopTokens: task.stopTokens ?? stopTokensOf(context, {}),
      stops: task.stops,
      ...(grammar !== undefined && { grammar }),
      ...(task.logprobs !== undefined && { logprobs: task.logprobs }),
      ...(task.cacheSalt !== undefined && { cacheSalt: task.cacheSalt }),
    },
  };
}

/** Answers a chat: thinking, text and tool calls as they come. */
export async function* answerChat(
  context: ServerContext,
  { rendered, tools, parallelToolCalls, thinkingBudget, request }: PreparedChat,
  seed: number | null,
  signal: AbortSignal,
): AsyncGenerator<ChatEvent> {
  const parser = new ResponseParser(rendered, tools);
  const budget = thinkingBudget !== undefined && {
    thinkingBudget: {
      tokens: thinkingBudget,
      closing: context.text.tokenizer.encode('</think>'),
      isThinking: () => parser.isThinking,
    },
  };
  const usage: ChatUsage = {
    promptTokens: request.prompt.length,
    cachedTokens: 0,
    completionTokens: 0,
    reasoningTokens: 0,
  };
  let tokens: TextToken[] = [];
  let calls = 0;
  const finish = (reason: ChatFinish['reason'], matched: AnswerFinish['matched'] = null) => ({
    type: 'finish' as const,
    reason,
    stopString: typeof matched === 'string' ? matched : null,
    usage,
    tokens,
  });

  for await (const event of answer(context, { ...request, ...budget, seed }, signal)) {
    if (event.type === 'prompt') {
      usage.cachedTokens = event.cachedTokens;
      yield { type: 'prompt', cachedTokens: event.cachedTokens };
      continue;
    }
    if (event.type === 'text') {
      usage.completionTokens += event.generated.length;
      tokens.push(...event.tokens);
    }
    const parsed = event.type === 'text' ? parser.push(event.text) : parser.end();
    if (parsed.at(-1)?.type === 'reasoning-delta') usage.reasoningTokens = usage.completionTokens;
    for (const part of parsed) {
      yield { ...part, tokens };
      tokens = [];
      if (part.type === 'unknown-tool-call') context.metrics.unknownToolCall();
      if (part.type !== 'tool-call') continue;
      calls++;
      if (!parallelToolCalls) {
        yield finish('tool-calls');
        return;
      }
    }
    if (event.type === 'finish') {
      const reason = event.reason === 'stop' && calls > 0 ? 'tool-calls' : event.reason;
      yield finish(reason, event.matched);
    }
  }
}

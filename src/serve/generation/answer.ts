/** One answer of the engine as text: detokenised, ended by stop strings, and measured. */

import type { ServerContext } from '../context.ts';
import type { DraftingFigures, GeneratedToken, GenerationEvent } from '../serving-engine.ts';
import type { TextRequest } from './request.ts';
import { TextStream, type TextToken } from './text-stream.ts';
import { submitWithin } from './thinking-budget.ts';

export type AnswerEvent =
  | Extract<GenerationEvent, { type: 'prompt' }>
  | {
      type: 'text';
      /** Empty where all of it is held back. */
      text: string;
      /** The tokens that begin in `text`; a token that ends the answer is in none. */
      tokens: readonly TextToken[];
      /** The tokens that came in, with or without text. */
      generated: readonly GeneratedToken[];
    }
  | AnswerFinish;

export interface AnswerFinish {
  type: 'finish';
  reason: 'stop' | 'length';
  /** The stop string or the token that ended the answer; `null` if its length did. */
  matched: string | number | null;
  /** The token that ended it, which is in no text; `null` if none did. */
  endToken: GeneratedToken | null;
  completionTokens: number;
  /** `null` if a stop string ended the answer before the engine could say. */
  drafting: DraftingFigures | null;
}

/**
 * Generates an answer. Leaving the iteration ends the request.
 *
 * @throws the signal's reason if it aborts
 */
export async function* answer(
  context: ServerContext,
  request: TextRequest,
  signal: AbortSignal,
): AsyncGenerator<AnswerEvent> {
  const { engine, text, metrics } = context;
  const { stops, skipSpecial = true, thinkingBudget, ...generation } = request;
  const { vocabSize } = text.tokenizer;
  const stream = new TextStream(text.tokenizer.streamDecoder({ skipSpecial }), stops);
  const stopTokens = new Set(request.stopTokens);
  const meter = metrics.answer(request.prompt.length);
  let completionTokens = 0;
  let ending = 'abort';
  let endToken: GeneratedToken | null = null;
  const finish = (details: Pick<AnswerFinish, 'reason' | 'matched' | 'drafting'>): AnswerFinish => {
    ending = details.reason;
    return { type: 'finish', completionTokens, endToken, ...details };
  };
  try {
    const asked = { ...generation, vocabSize, signal };
    const events =
      thinkingBudget === undefined
        ? engine.submit(asked)
        : submitWithin(engine, asked, thinkingBudget);
    for await (const event of events) {
      if (event.type === 'prompt') {
        meter.prompt(event.cachedTokens);
        yield event;
      } else if (event.type === 'tokens') {
        const piece = takeTokens(stream, event.tokens, stopTokens);
        meter.tokens(piece.generated.length);
        completionTokens += piece.generated.length;
        endToken = piece.endToken;
        yield { type: 'text', ...piece };
        if (stream.stop !== null) {
          yield finish({ reason: 'stop', matched: stream.stop, drafting: null });
          return;
        }
      } else {
        const rest = stream.end();
        yield { type: 'text', ...rest, generated: [] };
        yield finish({
          reason: event.reason,
          matched: endToken?.id ?? null,
          drafting: event.drafting,
        });
      }
    }
  } catch (error) {
    if (!signal.aborted) ending = 'error';
    throw error;
  } finally {
    meter.end(ending);
  }
}

/** The text of a pass up to a stop string, after which tokens no longer count. */
function takeTokens(
  stream: TextStream,
  tokens: readonly GeneratedToken[],
  stopTokens: ReadonlySet<number>,
) {
  const piece = {
    text: '',
    tokens: [] as TextToken[],
    generated: [] as GeneratedToken[],
    endToken: null as GeneratedToken | null,
  };
  for (const token of tokens) {
    if (stream.stop !== null) break;
    piece.generated.push(token);
    if (stopTokens.has(token.id)) {
      piece.endToken = token;
      break;
    }
    const { text, tokens } = stream.push(token);
    piece.text += text;
    piece.tokens.push(...tokens);
  }
  return piece;
}

/**
 * Ends thinking that goes on for too long. A model does not know how much it may think, so `</think>`
 * is written for it, and what it says after that is asked for as the continuation.
 */
import type { GenerationEvent, GenerationRequest, ServingEngine } from '../serving-engine.ts';

export interface ThinkingBudget {
  /** Tokens after which thinking is ended, at the end of the pass that reaches them. */
  tokens: number;
  /** The tokens of `</think>`. */
  closing: readonly number[];
  /** Whether the answer is still in its thinking, as far as it was given. */
  isThinking(): boolean;
}

/** The events of one answer, whether or not its thinking was ended. */
export async function* submitWithin(
  engine: ServingEngine,
  request: GenerationRequest,
  { tokens, closing, isThinking }: ThinkingBudget,
): AsyncGenerator<GenerationEvent> {
  const said: number[] = [];
  const left = () => request.maxTokens - said.length;
  const isOver = () =>
    said.length >= tokens &&
    left() > closing.length &&
    !request.stopTokens.includes(said.at(-1)!) &&
    isThinking();

  let isCut = false;
  for await (const event of engine.submit(request)) {
    yield event;
    if (event.type === 'tokens') said.push(...event.tokens.map(({ id }) => id));
    isCut = event.type === 'tokens' && isOver();
    if (isCut) break;
  }
  if (!isCut) return;
  said.push(...closing);
  yield { type: 'tokens', tokens: closing.map((id) => ({ id, head: null })) };
  const prompt = [...request.prompt, ...said];
  for await (const event of engine.submit({ ...request, prompt, maxTokens: left() })) {
    if (event.type !== 'prompt') yield event;
  }
}

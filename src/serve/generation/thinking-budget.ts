/**
 * Ends thinking that goes on for too long. A model does not know how much it may think, so `</think>`
 * is written for it, and what it says after that is asked for as the continuation.
 */
import type {
  GeneratedToken,
  GenerationEvent,
  GenerationRequest,
  ServingEngine,
} from '../serving-engine.ts';

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
  const prompt = [...request.prompt, ...said];
  const continuation = {
    ...request,
    prompt,
    maxTokens: left(),
    answerFrom: request.prompt.length,
    // What is asked for about tokens, of those that were written for it.
    ...(request.logprobs && {
      promptLogprobs: { ...request.logprobs, from: prompt.length - closing.length },
    }),
    ...(request.routedExperts && {
      routedExperts: { from: prompt.length - closing.length - 1 },
    }),
  };
  for await (const event of engine.submit(continuation)) {
    yield event.type === 'prompt' ? { type: 'tokens', tokens: written(closing, event) } : event;
  }
}

/** The tokens that were written, with what the continuation's prompt says about them. */
function written(
  closing: readonly number[],
  { logprobs, experts }: Extract<GenerationEvent, { type: 'prompt' }>,
): GeneratedToken[] {
  const width = (experts?.length ?? 0) / closing.length;
  return closing.map((id, i) => ({
    id,
    head: null,
    ...(logprobs && { score: logprobs[i]! }),
    ...(experts && { experts: experts.slice(i * width, (i + 1) * width) }),
  }));
}

/** An answer of `/generate`, whole at every moment: its stream repeats what came before. */

import { joinRoutes } from '../../engine/token-reports.ts';
import type { ServerContext } from '../context.ts';
import type { AnswerEvent, AnswerFinish } from '../generation/answer.ts';
import type { TextRequest } from '../generation/request.ts';
import type {
  DraftingFigures,
  GeneratedToken,
  ScoredToken,
  TokenLogprob,
} from '../serving-engine.ts';
import { finite, tokenText } from '../token-text.ts';

export interface OutputOptions {
  id: string;
  /** Whether entries of log-probabilities name the token's text. */
  withText: boolean;
  withTop: boolean;
  withPrompt: boolean;
  /** Whether the stop string, or token, stays in the text. */
  keepsStop: boolean;
}

type Entry = [logprob: number | null, id: number, text: string | null];

export class GenerateOutput {
  readonly #context: ServerContext;
  readonly #request: TextRequest;
  readonly #options: OutputOptions;
  #text = '';
  readonly #generated: GeneratedToken[] = [];
  #cachedTokens = 0;
  #weightVersion = '';
  #prompt: readonly (ScoredToken | null)[] = [];
  #promptRoutes: Int32Array = new Int32Array(0);
  #finishReason: object | null = null;
  #drafting: DraftingFigures | null = null;

  constructor(context: ServerContext, request: TextRequest, options: OutputOptions) {
    this.#context = context;
    this.#request = request;
    this.#options = options;
  }

  add(event: AnswerEvent): void {
    if (event.type === 'prompt') {
      this.#cachedTokens = event.cachedTokens;
      this.#weightVersion = event.weightVersion;
      this.#prompt = event.logprobs ?? [];
      this.#promptRoutes = event.experts ?? new Int32Array(0);
    } else if (event.type === 'text') {
      this.#text += event.text;
      this.#generated.push(...event.generated);
    } else {
      this.#finish(event);
    }
  }

  /** Ends an answer that was aborted on demand, with what there is of it. */
  abort(message: string): void {
    this.#finishReason = { type: 'abort', message };
  }

  write(): object {
    const { logprobs, promptLogprobs, routedExperts, prompt } = this.#request;
    return {
      text: this.#text,
      output_ids: this.#generated.map(({ id }) => id),
      ...(this.#options.withPrompt && { prompt_token_ids: prompt }),
      meta_info: {
        id: this.#options.id,
        finish_reason: this.#finishReason,
        prompt_tokens: prompt.length,
        completion_tokens: this.#generated.length,
        cached_tokens: this.#cachedTokens,
        weight_version: this.#weightVersion,
        // Of every token, as spans: a request ends on the weights that it began with.
        weight_versions: [{ version: this.#weightVersion, start: 0, end: this.#generated.length }],
        ...(logprobs !== undefined && this.#outputLogprobs()),
        ...(promptLogprobs !== undefined && this.#inputLogprobs(promptLogprobs.from)),
        ...(routedExperts !== undefined && this.#routes(routedExperts.from)),
        ...(this.#drafting !== null && speculation(this.#drafting)),
      },
    };
  }

  #finish({ reason, matched, drafting }: AnswerFinish): void {
    this.#drafting = drafting;
    this.#finishReason =
      reason === 'length'
        ? { type: 'length', length: this.#generated.length }
        : { type: 'stop', matched };
    if (!this.#options.keepsStop || matched === null) return;
    this.#text +=
      typeof matched === 'string' ? matched : this.#context.text.tokenizer.decode([matched]);
  }

  #outputLogprobs(): object {
    const scores = this.#generated.flatMap(({ score }) => score ?? []);
    return {
      output_token_logprobs: scores.map((score) => this.#entry(score)),
      ...(this.#options.withTop && {
        output_top_logprobs: scores.map(({ top }) => top.map((entry) => this.#entry(entry))),
      }),
    };
  }

  /** The first entry has no log-probability, wherever in the prompt it is. */
  #inputLogprobs(from: number): object {
    const { prompt } = this.#request;
    return {
      input_token_logprobs: this.#prompt.map((score, i) =>
        score === null || i === 0
          ? this.#entry({ id: prompt[from + i]!, logprob: null })
          : this.#entry(score),
      ),
      ...(this.#options.withTop && {
        input_top_logprobs: this.#prompt.map((score, i) =>
          score === null || i === 0 ? null : score.top.map((entry) => this.#entry(entry)),
        ),
      }),
    };
  }

  #entry({ id, logprob }: Omit<TokenLogprob, 'logprob'> & { logprob: number | null }): Entry {
    const { tokenizer } = this.#context.text;
    const text = this.#options.withText ? tokenText(tokenizer, id).text : null;
    return [logprob === null ? null : finite(logprob), id, text];
  }

  /** [tokens − 1 − from, layers, experts per token]: the last token has passed no layer. */
  #routes(from: number): object {
    const { config } = this.#context.engine;
    const layers = config.layers.filter(({ feedForward }) => feedForward === 'experts').length;
    const { perToken } = config.experts;
    // The first token of the answer was drawn from the prompt's last position.
    const skipped = Math.max(0, from - (this.#request.prompt.length - 1));
    const answered = this.#generated.slice(skipped).flatMap(({ experts }) => experts ?? []);
    const flat = joinRoutes([this.#promptRoutes, ...answered]);
    return {
      routed_experts: Buffer.from(flat.buffer).toString('base64'),
      routed_experts_shape: [flat.length / layers / perToken, layers, perToken],
      routed_experts_start_len: from,
    };
  }
}

function speculation({ verifications, drafted, accepted }: DraftingFigures): object {
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  return {
    spec_verify_ct: verifications,
    spec_draft_token_num: sum(drafted),
    spec_accept_token_num: sum(accepted),
    spec_draft_token_num_by_head: drafted,
    spec_accept_token_num_by_head: accepted,
  };
}

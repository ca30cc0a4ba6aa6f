import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ChatMessage } from '../../text/chat-messages.ts';
import { type Clock, systemClock } from '../clock.ts';
import { untilAborted, withDeadline } from '../deadline.ts';
import { SequenceFailure } from '../sequence-failure.ts';
import { Allocator } from '../tools/allocator.ts';
import { askChatModel, Unavailable } from './chat-endpoint.ts';
import { apiKeyOf, type JudgeConfig } from './config.ts';
import { judgePrompt, secondPrompt } from './judge-prompt.ts';
import type { Rubric } from './rubric.ts';
import { answerSchema, type Judgement, readJudgement } from './scores.ts';

/** So far. */
export interface JudgeFigures {
  requests: number;
  /** Judgements that were there already. */
  cached: number;
  nonsense: number;
  unavailable: number;
}

/** The first wait before it is asked again, in milliseconds; each is twice the one before. */
const FIRST_DELAY = 500;

/** Scores answers by rubrics, where no program can, with a model over OpenAI's API. */
export class Judge {
  readonly figures: JudgeFigures = { requests: 0, cached: 0, nonsense: 0, unavailable: 0 };
  readonly #config: JudgeConfig;
  readonly #apiKey: string | null;
  readonly #clock: Clock;
  readonly #requests: Allocator;
  /** By content, the one asked for last at the end. */
  readonly #cache = new Map<string, Promise<Judgement>>();

  /** @throws UserError if the key's variable is not set in `environment` */
  constructor(
    config: JudgeConfig,
    environment: Readonly<Record<string, string | undefined>> = process.env,
    clock: Clock = systemClock,
  ) {
    this.#config = config;
    this.#apiKey = apiKeyOf(config, environment);
    this.#clock = clock;
    this.#requests = new Allocator({ requests: config.concurrency });
  }

  /**
   * @param prompt the messages before the answer
   * @param response the messages of the answer
   * @throws SequenceFailure of kind `judge-nonsense` when no answer was of the right form, and of kind
   *   `judge` when there was none
   */
  async score(
    rubric: Rubric,
    prompt: readonly ChatMessage[],
    response: readonly ChatMessage[],
    signal?: AbortSignal,
  ): Promise<Judgement> {
    const messages = judgePrompt(rubric, prompt, response);
    const content = JSON.stringify([this.#config.url, this.#config.model, rubric, messages]);
    const key = createHash('sha256').update(content).digest('base64');
    const known = this.#cache.get(key);
    if (known) this.figures.cached++;
    // Not with the signal of one who asks: another may wait for the same judgement.
    const judgement = known ?? this.#ask(rubric, messages);
    this.#keep(key, judgement);
    return untilAborted(judgement, signal);
  }

  #keep(key: string, judgement: Promise<Judgement>): void {
    this.#cache.delete(key);
    if (this.#config.cacheEntries === 0) return;
    this.#cache.set(key, judgement);
    judgement.catch(() => this.#cache.delete(key));
    if (this.#cache.size > this.#config.cacheEntries) {
      this.#cache.delete(this.#cache.keys().next().value!);
    }
  }

  async #ask(rubric: Rubric, messages: readonly ChatMessage[]): Promise<Judgement> {
    const schema = z.toJSONSchema(answerSchema(rubric));
    let asked = messages;
    for (let tried = 0; ; tried++) {
      try {
        const answer = await this.#request(asked, schema);
        const read = readJudgement(rubric, answer);
        if ('judgement' in read) return read.judgement;
        this.figures.nonsense++;
        if (tried >= this.#config.retries) {
          throw new SequenceFailure('judge-nonsense', `the judge's answer ${read.problem}`);
        }
        asked = secondPrompt(messages, answer, read.problem);
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        this.figures.unavailable++;
        if (tried >= this.#config.retries) {
          throw new SequenceFailure('judge', `the judge ${error.message}`, { cause: error });
        }
        await this.#wait(error.retryAfter ?? FIRST_DELAY * 2 ** tried);
      }
    }
  }

  async #request(messages: readonly ChatMessage[], schema: object): Promise<string | null> {
    const { timeoutSeconds } = this.#config;
    const release = await this.#requests.acquire({ requests: 1 });
    try {
      this.figures.requests++;
      const ask = (signal: AbortSignal) =>
        askChatModel(this.#config, this.#apiKey, messages, schema, signal);
      const late = () => new Unavailable(`did not answer in ${timeoutSeconds} s`);
      return await withDeadline(this.#clock, 1000 * timeoutSeconds, ask, late);
    } finally {
      release();
    }
  }

  async #wait(milliseconds: number): Promise<void> {
    const delay = Math.min(milliseconds, 1000 * this.#config.maxDelaySeconds);
    await new Promise<void>((resolve) => this.#clock.after(delay, resolve));
  }
}

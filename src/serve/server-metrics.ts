/** What the server measures, and the page of it that Prometheus reads. */

import {
  Counter,
  Histogram,
  type MetricSource,
  type MetricType,
  value,
  values,
  writeMetric,
} from './metrics.ts';
import type { EngineFigures } from './serving-engine.ts';

export class ServerMetrics {
  readonly #responses = new Counter();
  readonly #finished = new Counter();
  readonly #promptTokens = new Counter();
  readonly #cachedTokens = new Counter();
  readonly #generatedTokens = new Counter();
  readonly #unknownCalls = new Counter();
  readonly #firstToken = new Histogram([
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
  ]);
  readonly #perToken = new Histogram([
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
  ]);

  response(route: string, status: number): void {
    this.#responses.add(1, { route, status: String(status) });
  }

  unknownToolCall(): void {
    this.#unknownCalls.add(1);
  }

  /** Measures one answer; the clock starts here. */
  answer(promptTokens: number): AnswerMeter {
    const begin = performance.now();
    let first = 0;
    let tokens = 0;
    return {
      prompt: (cachedTokens) => {
        this.#promptTokens.add(promptTokens);
        this.#cachedTokens.add(cachedTokens);
      },
      tokens: (count) => {
        if (tokens === 0) {
          first = performance.now();
          this.#firstToken.observe((first - begin) / 1000);
        }
        tokens += count;
        this.#generatedTokens.add(count);
      },
      end: (reason) => {
        this.#finished.add(1, { reason });
        if (tokens > 1) this.#perToken.observe((performance.now() - first) / 1000 / (tokens - 1));
      },
    };
  }

  /** The page. */
  write({
    running,
    waiting,
    preemptions,
    cacheBytes,
    cachePages,
    drafting,
  }: EngineFigures): string {
    const { verifications, drafted, accepted } = drafting;
    const heads = (counts: readonly number[]) =>
      values('head', Object.fromEntries(counts.map((count, head) => [head, count])));
    const acceptedTokens = accepted.reduce((sum, count) => sum + count, 0);
    const acceptance =
      verifications > 0 ? value(1 + acceptedTokens / verifications) : values('', {});
    const page: [name: string, type: MetricType, help: string, source: MetricSource][] = [
      ['requests_running', 'gauge', 'Requests in the batch.', value(running)],
      ['requests_waiting', 'gauge', 'Requests in the queue.', value(waiting)],
      ['preemptions_total', 'counter', 'Requests that gave their memory back.', value(preemptions)],
      ['cache_bytes', 'gauge', 'Memory for keys and values.', values('kind', cacheBytes)],
      ['cache_pages', 'gauge', 'Pages of global layers.', value(cachePages.total)],
      ['cache_pages_used', 'gauge', 'Of these, pages in use.', value(cachePages.used)],
      ['cache_pages_kept', 'gauge', 'Pages kept for later requests.', value(cachePages.kept)],
      ['http_responses_total', 'counter', 'Responses by route and status.', this.#responses],
      ['answers_total', 'counter', 'Answers by what ended them.', this.#finished],
      ['prompt_tokens_total', 'counter', 'Tokens of prompts.', this.#promptTokens],
      ['cached_tokens_total', 'counter', 'Of these, found in a cache.', this.#cachedTokens],
      ['generated_tokens_total', 'counter', 'Tokens generated.', this.#generatedTokens],
      ['unknown_tool_calls_total', 'counter', 'Calls of unknown functions.', this.#unknownCalls],
      ['time_to_first_token_seconds', 'histogram', 'From request to token.', this.#firstToken],
      ['time_per_token_seconds', 'histogram', 'Mean time of a token after it.', this.#perToken],
      ['verifications_total', 'counter', 'Passes that verified drafts.', value(verifications)],
      ['drafted_tokens_total', 'counter', 'Tokens drafted by each MTP head.', heads(drafted)],
      ['accepted_tokens_total', 'counter', 'Of these, accepted.', heads(accepted)],
      ['acceptance_length', 'gauge', 'Mean tokens of such a pass.', acceptance],
    ];
    const memory = value(process.memoryUsage.rss());
    return [
      ...page.map(([name, ...rest]) => writeMetric(`mimoflash_${name}`, ...rest)),
      writeMetric('process_resident_memory_bytes', 'gauge', 'Resident memory in bytes.', memory),
    ].join('');
  }
}

export interface AnswerMeter {
  prompt(cachedTokens: number): void;
  tokens(count: number): void;
  /** @param reason what ended the answer. */
  end(reason: string): void;
}

/** What the server measures, and the page of it that Prometheus reads. */

import { Counter, Histogram, writeLabels, writeMetric } from './metrics.ts';
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
  write({ running, waiting, cacheBytes, drafting }: EngineFigures): string {
    const gauge = (name: string, help: string, lines: string[]) =>
      writeMetric(`mimoflash_${name}`, 'gauge', help, lines);
    const counter = (name: string, help: string, source: Counter) =>
      writeMetric(`mimoflash_${name}`, 'counter', help, source.lines(`mimoflash_${name}`));
    const histogram = (name: string, help: string, source: Histogram) =>
      writeMetric(`mimoflash_${name}`, 'histogram', help, source.lines(`mimoflash_${name}`));
    const byHead = (name: string, help: string, counts: readonly number[]) =>
      writeMetric(
        `mimoflash_${name}`,
        'counter',
        help,
        counts.map((count, i) => `mimoflash_${name}${writeLabels({ head: `${i + 1}` })} ${count}`),
      );
    return [
      gauge('requests_running', 'Requests in the batch.', [
        `mimoflash_requests_running ${running}`,
      ]),
      gauge('requests_waiting', 'Requests in the queue.', [
        `mimoflash_requests_waiting ${waiting}`,
      ]),
      gauge(
        'cache_bytes',
        'Bytes of keys and values, by kind of layer.',
        Object.entries(cacheBytes).map(
          ([kind, bytes]) => `mimoflash_cache_bytes${writeLabels({ kind })} ${bytes}`,
        ),
      ),
      counter('http_responses_total', 'Responses by route and status.', this.#responses),
      counter('answers_total', 'Answers by what ended them.', this.#finished),
      counter('prompt_tokens_total', 'Tokens of prompts.', this.#promptTokens),
      counter('cached_tokens_total', 'Tokens of prompts found in a cache.', this.#cachedTokens),
      counter('generated_tokens_total', 'Tokens generated.', this.#generatedTokens),
      counter('unknown_tool_calls_total', 'Calls of unknown functions.', this.#unknownCalls),
      histogram('time_to_first_token_seconds', 'From request to first token.', this.#firstToken),
      histogram('time_per_token_seconds', 'Mean time of a token after it.', this.#perToken),
      writeMetric('mimoflash_verifications_total', 'counter', 'Passes that verified drafts.', [
        `mimoflash_verifications_total ${drafting.verifications}`,
      ]),
      byHead('drafted_tokens_total', 'Tokens drafted by each MTP head.', drafting.drafted),
      byHead('accepted_tokens_total', 'Of those, tokens accepted.', drafting.accepted),
      writeMetric('process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.', [
        `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
      ]),
    ].join('');
  }
}

export interface AnswerMeter {
  prompt(cachedTokens: number): void;
  tokens(count: number): void;
  /** @param reason what ended the answer. */
  end(reason: string): void;
}

/**
 * An engine without a model: it says what a script tells it to, token by token, and remembers what it
 * was asked. With it a test decides where tokens, passes and delays fall.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../../src/errors.ts';
import { compileExpression } from '../../src/grammar/automaton.ts';
import { expressionOf, type OutputGrammar } from '../../src/grammar/output-grammar.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import type {
  EngineFeature,
  EngineFigures,
  GenerationEvent,
  GenerationRequest,
  ScoredToken,
  ServingEngine,
} from '../../src/serve/serving-engine.ts';

export interface Script {
  /** The answer; after it comes the end of the turn. */
  tokens: readonly number[];
  /** Tokens of a pass; 1 by default. */
  pass?: number;
  /** Milliseconds that a pass takes; none by default, but others get a turn. */
  delay?: number;
  /** Thrown after this many tokens. */
  failure?: { after: number; error: Error };
}

const everything: EngineFeature[] = [
  ...(['min-p', 'penalties', 'logit-bias', 'logprobs', 'prompt-logprobs'] as const),
  ...(['routed-experts', 'cache-salt', 'load-weights', 'grammar'] as const),
];

export class ScriptedEngine implements ServingEngine {
  readonly config: ModelConfig;
  readonly features: Set<EngineFeature> = new Set(everything);
  weightVersion = 'v0';
  failure: string | null = null;
  /** What it was asked, in order. */
  readonly requests: GenerationRequest[] = [];
  /** Requests that were ended before they were done. */
  ended = 0;
  running = 0;
  get contextTokens(): number {
    return this.config.maxPositions;
  }
  script: (request: GenerationRequest) => Script;

  constructor(config: ModelConfig, script: ScriptedEngine['script'] = () => ({ tokens: [] })) {
    this.config = config;
    this.script = script;
  }

  async *submit(request: GenerationRequest): AsyncGenerator<GenerationEvent> {
    this.requests.push(request);
    this.running++;
    let isDone = false;
    try {
      yield* this.#speak(request);
      isDone = true;
    } finally {
      this.running--;
      if (!isDone) this.ended++;
    }
  }

  async checkGrammar(grammar: OutputGrammar): Promise<void> {
    compileExpression(expressionOf(grammar));
  }

  figures(): EngineFigures {
    return {
      running: this.running,
      waiting: 0,
      preemptions: 0,
      cacheType: 'f32',
      cacheBytes: { global: 1024, sliding: 512 },
      cachePages: { used: 3, kept: 1, total: 8 },
      drafting: { verifications: 10, drafted: [10, 10], accepted: [8, 4] },
    };
  }

  async loadWeights(directory: string, version: string): Promise<void> {
    if (directory.endsWith('broken')) throw new UserError(`${directory}: is broken`);
    this.weightVersion = version;
  }

  async *#speak(request: GenerationRequest): AsyncGenerator<GenerationEvent> {
    const { prompt, promptLogprobs, routedExperts, logprobs, signal } = request;
    const { tokens, pass = 1, failure, ...script } = this.script(request);
    signal.throwIfAborted();
    yield {
      type: 'prompt',
      weightVersion: this.weightVersion,
      cachedTokens: Math.min(2, prompt.length - 1),
      ...(promptLogprobs && {
        logprobs: prompt
          .map((id, i) => (i === 0 ? null : scored(id, promptLogprobs.top)))
          .slice(promptLogprobs.from),
      }),
      ...(routedExperts && {
        experts: Int32Array.from(
          prompt
            .slice(routedExperts.from, -1)
            .flatMap((_, row) => [...this.#routes(routedExperts.from + row)]),
        ),
      }),
    };
    const all = [...tokens, this.config.eosTokenIds[0]!];
    const end = all.findIndex((id) => request.stopTokens.includes(id));
    const said = all.slice(0, Math.min(end < 0 ? all.length : end + 1, request.maxTokens));
    for (let at = 0; at < said.length; at += pass) {
      await delay(script.delay ?? 0, undefined, { signal }).catch(() => signal.throwIfAborted());
      if (failure !== undefined && at >= failure.after) throw failure.error;
      yield {
        type: 'tokens',
        tokens: said.slice(at, at + pass).map((id, i) => ({
          id,
          head: i === 0 ? null : i - 1,
          ...(logprobs && { score: scored(id, logprobs.top) }),
          ...(routedExperts && { experts: this.#routes(prompt.length - 1 + at + i) }),
        })),
      };
    }
    yield {
      type: 'finish',
      reason: request.stopTokens.includes(said.at(-1) ?? -1) ? 'stop' : 'length',
      drafting: { verifications: 2, drafted: [2, 2], accepted: [2, 1] },
    };
  }

  /** Routes that tell their position. */
  #routes(position: number): Int32Array {
    const { layers, experts } = this.config;
    const sparse = layers.filter(({ feedForward }) => feedForward === 'experts').length;
    return Int32Array.from(
      { length: sparse * experts.perToken },
      (_, i) => (position + i) % experts.count,
    );
  }
}

/** Scores that tell their token. */
export function scored(id: number, top: number): ScoredToken {
  return {
    id,
    logprob: -id / 1000,
    top: Array.from({ length: top }, (_, i) => ({ id: id - i, logprob: -(id + i) / 1000 })),
  };
}

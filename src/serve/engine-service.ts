/**
 * The engine as the server knows it. New weights come as a second engine beside the first, which
 * ends when its last request does: no request waits, and none sees two versions of the weights.
 */
import { Engine } from '../engine/engine.ts';
import type { EngineOptions } from '../engine/engine-options.ts';
import type { GenerationStep, PromptReading } from '../engine/generation.ts';
import { UserError } from '../errors.ts';
import type { GrammarState } from '../grammar/grammar-state.ts';
import { GrammarCompiler, type OutputGrammar } from '../grammar/output-grammar.ts';
import type { Vocabulary } from '../grammar/vocabulary.ts';
import { type Model, releaseModel } from '../model/weights.ts';
import type {
  DraftingFigures,
  EngineFeature,
  EngineFigures,
  GeneratedToken,
  GenerationEvent,
  GenerationRequest,
  ServingEngine,
} from './serving-engine.ts';

/** Loads a checkpoint of a directory onto the engine's device. */
export type LoadWeights = (directory: string) => Promise<Model>;

export class EngineService implements ServingEngine {
  readonly features: ReadonlySet<EngineFeature>;
  /** A device that fails ends requests; later ones can succeed. */
  readonly failure = null;
  readonly #loadWeights: LoadWeights | null;
  readonly #grammars: GrammarCompiler | null;
  readonly #options: EngineOptions;
  readonly #drafting = new DraftingCounts();
  /** Engines with requests, the present one last. */
  #versions: Version[] = [];
  /** Preemptions of engines that have ended. */
  #retiredPreemptions = 0;
  /** Loading is one at a time. */
  #loading: Promise<void> = Promise.resolve();

  /**
   * Takes the model over, and releases it. Without a vocabulary, answers keep to no grammar.
   *
   * @param loadWeights reads new weights; there are none without, as in a browser.
   */
  constructor(
    model: Model,
    weightVersion: string,
    { vocabulary, ...options }: EngineOptions & { vocabulary?: Vocabulary },
    loadWeights: LoadWeights | null = null,
  ) {
    this.#options = options;
    this.#loadWeights = loadWeights;
    this.#grammars = vocabulary ? new GrammarCompiler(vocabulary) : null;
    this.features = new Set<EngineFeature>([
      ...(['min-p', 'penalties', 'logit-bias', 'logprobs', 'prompt-logprobs'] as const),
      ...(['routed-experts', 'cache-salt'] as const),
      ...(loadWeights === null ? [] : (['load-weights'] as const)),
      ...(vocabulary ? (['grammar'] as const) : []),
    ]);
    this.#versions.push(new Version(model, weightVersion, options));
  }

  get config() {
    return this.#present.model.config;
  }

  get contextTokens(): number {
    return this.#present.engine.contextTokens;
  }

  get weightVersion(): string {
    return this.#present.name;
  }

  async *submit(request: GenerationRequest): AsyncGenerator<GenerationEvent> {
    const version = this.#present;
    const { prompt, vocabSize: _, seed, grammar, ...others } = request;
    const drafting = new DraftingCounts();
    const options = {
      ...others,
      seed: seed ?? anySeed(),
      adaptiveDrafts: seed === null || request.sampling.temperature === 0,
      ...(grammar && { grammar: this.#compile(grammar) }),
    };
    let reason: 'stop' | 'length' = 'length';
    const begin = (reading: PromptReading) => {
      return { type: 'prompt' as const, weightVersion: version.name, ...reading };
    };
    let isFirst = true;
    version.requests++;
    try {
      for await (const step of version.engine.generate(prompt, options)) {
        if (step.prompt) yield begin(step.prompt);
        isFirst = false;
        drafting.add(step);
        this.#drafting.add(step);
        reason = step.finish ?? reason;
        yield { type: 'tokens', tokens: tokensOf(step) };
      }
      if (isFirst) yield begin({ cachedTokens: 0 });
      yield { type: 'finish', reason, drafting: drafting.figures };
    } finally {
      version.requests--;
      await this.#retire();
    }
  }

  async checkGrammar(grammar: OutputGrammar): Promise<void> {
    this.#compile(grammar);
  }

  figures(): EngineFigures {
    const sum = (count: (version: Version) => number) =>
      this.#versions.reduce((total, version) => total + count(version), 0);
    return {
      running: sum(({ engine }) => engine.load.running),
      waiting: sum(({ engine }) => engine.load.waiting),
      preemptions: this.#retiredPreemptions + sum(({ engine }) => engine.load.preemptions),
      cacheType: this.#present.engine.memory.cacheType,
      cacheBytes: {
        global: sum(({ engine }) => engine.memory.global),
        sliding: sum(({ engine }) => engine.memory.sliding),
      },
      cachePages: {
        used: sum(({ pages, engine }) => pages - engine.memory.freePages),
        kept: sum(({ engine }) => engine.memory.keptPages),
        total: sum(({ pages }) => pages),
      },
      drafting: this.#drafting.figures,
    };
  }

  async loadWeights(directory: string, version: string): Promise<void> {
    const loading = this.#loading.then(() => this.#load(directory, version));
    this.#loading = loading.catch(() => undefined);
    await loading;
  }

  /** Ends all requests and frees all memory. */
  async release(): Promise<void> {
    await this.#loading;
    await Promise.all(this.#versions.splice(0).map((version) => version.release()));
  }

  #compile(grammar: OutputGrammar): GrammarState {
    if (this.#grammars === null) throw new UserError('this engine knows no grammars');
    return this.#grammars.compile(grammar);
  }

  get #present(): Version {
    return this.#versions.at(-1)!;
  }

  async #load(directory: string, name: string): Promise<void> {
    if (this.#loadWeights === null) throw new UserError('this engine loads no other weights');
    const model = await this.#loadWeights(directory);
    if (JSON.stringify(model.config) !== JSON.stringify(this.config)) {
      releaseModel(model);
      throw new UserError(
        `${directory}/config.json: differs from the running model's; only weights can be changed while serving`,
      );
    }
    this.#versions.push(new Version(model, name, this.#options));
    await this.#retire();
  }

  /** Releases the engines before the present one that have nothing left to do. */
  async #retire(): Promise<void> {
    const done = this.#versions.slice(0, -1).filter(({ requests }) => requests === 0);
    this.#versions = this.#versions.filter((version) => !done.includes(version));
    for (const { engine } of done) this.#retiredPreemptions += engine.load.preemptions;
    await Promise.all(done.map((version) => version.release()));
  }
}

/** A model's weights and the engine that runs on them. */
class Version {
  readonly model: Model;
  readonly name: string;
  readonly engine: Engine;
  /** Pages of its caches. */
  readonly pages: number;
  requests = 0;

  constructor(model: Model, name: string, options: EngineOptions) {
    this.model = model;
    this.name = name;
    this.engine = new Engine(model, options);
    this.pages = this.engine.memory.freePages;
  }

  async release(): Promise<void> {
    await this.engine.release();
    releaseModel(this.model);
  }
}

function anySeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

/** All tokens of a step but its last were drafted, the k-th by head k. */
function tokensOf({ tokens, scores, experts }: GenerationStep): GeneratedToken[] {
  return tokens.map((id, i) => ({
    id,
    head: i < tokens.length - 1 ? i : null,
    ...(scores && { score: scores[i]! }),
    ...(experts && { experts: experts[i]! }),
  }));
}

class DraftingCounts {
  #verifications = 0;
  readonly #drafted: number[] = [];
  readonly #accepted: number[] = [];

  add({ tokens, drafted }: GenerationStep): void {
    if (drafted === 0) return;
    this.#verifications++;
    for (let head = 0; head < drafted; head++) {
      this.#drafted[head] = (this.#drafted[head] ?? 0) + 1;
      this.#accepted[head] = (this.#accepted[head] ?? 0) + (head < tokens.length - 1 ? 1 : 0);
    }
  }

  get figures(): DraftingFigures {
    return {
      verifications: this.#verifications,
      drafted: [...this.#drafted],
      accepted: [...this.#accepted],
    };
  }
}

import { Channel } from '../../engine/channel.ts';
import { UserError } from '../../errors.ts';
import type { OutputGrammar } from '../../grammar/output-grammar.ts';
import type { ModelConfig } from '../../model/config.ts';
import type {
  EngineFeature,
  EngineFigures,
  GenerationEvent,
  GenerationRequest,
  ServingEngine,
} from '../serving-engine.ts';
import {
  type EngineState,
  type FixedState,
  type FromEngine,
  type NewsItem,
  type Post,
  receivedError,
  type ToEngine,
} from './messages.ts';

/**
 * An engine that runs in another thread. Whoever uses it never waits for arithmetic; requests, their
 * ends and errors cross over, and figures are those that the engine told last.
 */
export class RemoteEngine implements ServingEngine {
  readonly config: ModelConfig;
  readonly contextTokens: number;
  readonly features: ReadonlySet<EngineFeature>;
  readonly #post: Post<ToEngine>;
  readonly #requests = new Map<number, Channel<GenerationEvent>>();
  /** What else is waited for. */
  readonly #calls = new Map<number, PromiseWithResolvers<void>>();
  readonly #released = Promise.withResolvers<void>();
  #state: EngineState;
  #failure: string | null = null;
  #ids = 0;

  constructor(
    { config, contextTokens, features }: FixedState,
    state: EngineState,
    post: Post<ToEngine>,
  ) {
    this.config = config;
    this.contextTokens = contextTokens;
    this.features = new Set(features);
    this.#state = state;
    this.#post = post;
  }

  get weightVersion(): string {
    return this.#state.weightVersion;
  }

  get failure(): string | null {
    return this.#failure;
  }

  async *submit({ signal, ...request }: GenerationRequest): AsyncGenerator<GenerationEvent> {
    this.#throwIfFailed();
    signal.throwIfAborted();
    const id = this.#ids++;
    const events = new Channel<GenerationEvent>();
    const onAbort = () => events.fail(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#requests.set(id, events);
    this.#post({ type: 'submit', id, request });
    try {
      yield* events;
    } finally {
      signal.removeEventListener('abort', onAbort);
      if (this.#requests.delete(id)) this.#post({ type: 'cancel', id });
    }
  }

  figures(): EngineFigures {
    return this.#state.figures;
  }

  async checkGrammar(grammar: OutputGrammar): Promise<void> {
    await this.#call((id) => ({ type: 'check-grammar', id, grammar }));
  }

  async loadWeights(directory: string, version: string): Promise<void> {
    await this.#call((id) => ({ type: 'load-weights', id, directory, version }));
  }

  /** Ends all requests and frees the engine's memory; also if it has failed. */
  async release(): Promise<void> {
    if (this.#failure !== null) return;
    this.#post({ type: 'release' });
    await this.#released.promise;
  }

  /** To be called with what the engine sends. */
  receive(message: FromEngine): void {
    if (message.type === 'news') {
      this.#state = message.state;
      for (const item of message.items) this.#take(item);
    } else if (message.type === 'released') {
      this.#released.resolve();
    }
  }

  /** To be called when the engine's thread is no more: ends everything that waits for it. */
  fail(error: Error): void {
    this.#failure ??= `the engine has stopped: ${error.message}; restart the server`;
    for (const events of this.#requests.values()) events.fail(new UserError(this.#failure));
    for (const call of this.#calls.values()) call.reject(new UserError(this.#failure));
    this.#requests.clear();
    this.#calls.clear();
    this.#released.resolve();
  }

  async #call(message: (id: number) => ToEngine): Promise<void> {
    this.#throwIfFailed();
    const id = this.#ids++;
    const done = Promise.withResolvers<void>();
    this.#calls.set(id, done);
    this.#post(message(id));
    await done.promise;
  }

  #take(item: NewsItem): void {
    const { id } = item;
    const events = this.#requests.get(id);
    if ('event' in item) {
      events?.push(item.event);
      return;
    }
    const call = this.#calls.get(id);
    this.#requests.delete(id);
    this.#calls.delete(id);
    if ('error' in item) {
      const error = receivedError(item.error);
      events?.fail(error);
      call?.reject(error);
    } else {
      events?.close();
      call?.resolve();
    }
  }

  #throwIfFailed(): void {
    if (this.#failure !== null) throw new UserError(this.#failure);
  }
}

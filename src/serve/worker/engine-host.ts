/** Lets another thread use an engine: the worker's side of `RemoteEngine`. */
import { nextTask } from '../../engine/next-task.ts';
import type { ServingEngine } from '../serving-engine.ts';
import {
  type EngineState,
  type FromEngine,
  type NewsItem,
  type Post,
  sentError,
  type ToEngine,
} from './messages.ts';

/** Milliseconds after which figures that still change are told again. */
const figuresInterval = 100;

export class EngineHost {
  readonly #engine: ServingEngine;
  readonly #free: () => Promise<void>;
  readonly #post: Post<FromEngine>;
  readonly #requests = new Map<number, AbortController>();
  #news: NewsItem[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** The state told last. */
  #told = '';

  /** `free`: ends the engine and all that it runs on. */
  constructor(engine: ServingEngine, free: () => Promise<void>, post: Post<FromEngine>) {
    this.#engine = engine;
    this.#free = free;
    this.#post = post;
  }

  ready(description: string): void {
    const { config, contextTokens, features } = this.#engine;
    const fixed = { config, contextTokens, features: [...features] };
    this.#post({ type: 'ready', description, fixed, state: this.#state });
  }

  receive(message: ToEngine): void {
    switch (message.type) {
      case 'submit':
        void this.#run(message.id, () => this.#answer(message));
        break;
      case 'cancel':
        this.#requests.get(message.id)?.abort();
        break;
      case 'check-grammar':
        void this.#run(message.id, () => this.#engine.checkGrammar(message.grammar));
        break;
      case 'load-weights':
        void this.#run(message.id, () =>
          this.#engine.loadWeights(message.directory, message.version),
        );
        break;
      case 'release':
        void this.#release();
    }
  }

  async #run(id: number, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#tell({ id, end: true });
    } catch (error) {
      this.#tell({ id, error: sentError(error) });
    }
  }

  async #answer({ id, request }: Extract<ToEngine, { type: 'submit' }>): Promise<void> {
    const controller = new AbortController();
    this.#requests.set(id, controller);
    try {
      const { signal } = controller;
      for await (const event of this.#engine.submit({ ...request, signal })) {
        this.#tell({ id, event });
      }
    } finally {
      this.#requests.delete(id);
    }
  }

  async #release(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#free();
    this.#post({ type: 'released' });
  }

  /** Tells what a step gave to all of its requests in one message. */
  #tell(item: NewsItem): void {
    this.#news.push(item);
    if (this.#news.length === 1) void nextTask().then(() => this.#send());
  }

  #send(): void {
    const state = this.#state;
    this.#told = JSON.stringify(state);
    this.#post({ type: 'news', items: this.#news.splice(0), state });
    this.#timer ??= setTimeout(() => this.#watch(), figuresInterval);
  }

  /** What a request held is given back after it has ended. */
  #watch(): void {
    this.#timer = null;
    if (JSON.stringify(this.#state) !== this.#told) this.#send();
  }

  get #state(): EngineState {
    return { weightVersion: this.#engine.weightVersion, figures: this.#engine.figures() };
  }
}

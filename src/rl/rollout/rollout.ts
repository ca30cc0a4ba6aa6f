/**
 * Samples sequences: problem → trajectory, by the engine that also serves, with its drafts on. A sequence
 * is one list of tokens that only grows: the prompt, rendered once; the model's own tokens as they were
 * drawn, with their log-probabilities, versions and routes; and between its turns what its calls gave,
 * rendered as the template would (`continuation`). A turn is computed from the caches of the turns before,
 * so their routes are recorded once, when they were first passed.
 */
import type { GenerationOptions, VersionedStep } from '../../engine/generation.ts';
import type { ModelConfig } from '../../model/config.ts';
import { hashText } from '../../random.ts';
import { type Call, MOST_TURNS, readTurns } from '../../tasks/index.ts';
import { assistantMessage } from '../../text/assistant-message.ts';
import { type ChatMessage, regularMessages } from '../../text/chat-messages.ts';
import { renderGuarded } from '../../text/chat-template.ts';
import { ResponseParser } from '../../text/response-parser.ts';
import type { TextFiles } from '../../text/text-files.ts';
import type { Rollout, RolloutResult, Sequence } from '../scheduler/types.ts';
import { SequenceFailure } from '../sequence-failure.ts';
import { environmentOf } from '../tools/problem-tools.ts';
import type { Environment } from '../tools/types.ts';
import type { TrajectoryBuilder } from '../trajectory.ts';
import { continuation } from './continuation.ts';
import type { DrawnTokens } from './drawn-tokens.ts';
import { newTrajectory, type RolloutState, restorePartial, savePartial } from './partial.ts';

/** What draws the tokens: an `Engine`. */
export interface PolicyEngine {
  generate(prompt: readonly number[], options: GenerationOptions): AsyncIterable<VersionedStep>;
}

export interface RolloutOptions {
  engine: PolicyEngine;
  /** Of the model that the engine runs. */
  config: ModelConfig;
  text: TextFiles;
  /** The tools of a sequence whose problem has some; by default the problem's own. */
  openTools?: (sequence: Sequence, signal: AbortSignal) => Promise<Environment | null>;
  /** MTP blocks to draft with; by default all. */
  drafts?: number;
  /** Longest sequence, in tokens; by default the model's context. */
  contextTokens?: number;
  mostTurns?: number;
  /** Counts what is drawn. */
  drawn?: DrawnTokens;
}

/** Rollouts of one engine; any number of them run at once. */
export function rolloutsOf(options: RolloutOptions): Rollout {
  return async (sequence, signal) => {
    const run = new SequenceRun(options, sequence, signal);
    try {
      return await run.finish();
    } finally {
      await run.close();
    }
  };
}

type TurnEnd = 'stop' | 'length' | 'paused';

class SequenceRun {
  readonly #options: RolloutOptions;
  readonly #sequence: Sequence;
  readonly #signal: AbortSignal;
  readonly #builder: TrajectoryBuilder;
  readonly #state: RolloutState;
  /** How every turn of the assistant is opened, for the parser. */
  readonly #opening: string;
  #environment: Environment | null = null;

  constructor(options: RolloutOptions, sequence: Sequence, signal: AbortSignal) {
    this.#options = options;
    this.#sequence = sequence;
    this.#signal = signal;
    const { tokenizer, chatTemplate } = options.text;
    const messages = regularMessages(sequence.prompt.problem.messages);
    const prompt = renderGuarded(tokenizer, chatTemplate, messages, {
      ...this.#chat,
      addGenerationPrompt: true,
    });
    this.#opening = prompt;
    if (sequence.partial) {
      const { builder, state } = restorePartial(options.config, sequence.partial);
      [this.#builder, this.#state] = [builder, state];
      return;
    }
    this.#builder = newTrajectory(options.config);
    this.#builder.appendGiven(tokenizer.encode(prompt));
    this.#state = { response: [], turnStart: this.#builder.tokens.length, turnEnded: false };
    if (this.#room < 1) {
      const { length } = this.#builder.tokens;
      throw new SequenceFailure(
        'rollout',
        `the prompt has ${length} tokens, and sequences may have ${length + this.#room}`,
      );
    }
  }

  /** Turn after turn, until the model is done, cut, or to pause. */
  async finish(): Promise<RolloutResult> {
    await this.#openTools();
    for (;;) {
      let end: TurnEnd | 'next' = this.#state.turnEnded ? 'stop' : await this.#sampleTurn();
      this.#state.turnEnded = end === 'stop';
      if (end === 'stop') end = await this.#answerCalls();
      if (end === 'next') continue;
      if (end !== 'paused') return this.#result(end);
      return { status: 'paused', partial: savePartial(this.#builder, this.#state) };
    }
  }

  async close(): Promise<void> {
    await this.#environment?.close();
  }

  /** Opens the tools; where the sequence goes on, they come to where they were by the same calls. */
  async #openTools(): Promise<void> {
    const { openTools } = this.#options;
    this.#environment = openTools
      ? await openTools(this.#sequence, this.#signal)
      : environmentOf(this.#sequence.prompt.problem);
    for (const { calls } of readTurns(this.#state.response)) {
      for (const call of calls) await this.#environment?.call(call, this.#signal);
    }
  }

  /** Draws the rest of a turn. */
  async #sampleTurn(): Promise<TurnEnd> {
    const { engine, drafts } = this.#options;
    const { seed, temperature } = this.#sequence;
    const builder = this.#builder;
    const maxTokens = Math.min(this.#sequence.maxTokens - builder.sampledCount, this.#room);
    if (maxTokens < 1) return 'length';
    if (this.#signal.aborted) return 'paused';
    const prompt = [...builder.tokens];
    try {
      for await (const step of engine.generate(prompt, {
        sampling: { temperature },
        // Another one for each turn and each part of one.
        seed: hashText(`${seed} ${prompt.length}`),
        maxTokens,
        logprobs: { top: 0 },
        // The next turn finds the caches of this one, and nobody else's.
        session: `${this.#sequence.id} ${this.#sequence.attempt}`,
        signal: this.#signal,
        ...(drafts !== undefined && { drafts }),
        ...(builder.routes && { routedExperts: { from: builder.routes.positions } }),
      })) {
        this.#options.drawn?.add(step);
        this.#take(step);
        if (step.finish) return step.finish;
        if (this.#signal.aborted) return 'paused';
      }
    } catch (error) {
      if (this.#signal.aborted) return 'paused';
      throw error;
    }
    throw new SequenceFailure('malformed', 'the engine ended an answer without saying why');
  }

  #take({ tokens, scores, prompt, experts, weightVersion }: VersionedStep): void {
    const { routes } = this.#builder;
    if (scores?.length !== tokens.length || (routes && experts?.length !== tokens.length)) {
      throw new SequenceFailure('malformed', 'a step lacks log-probabilities or experts');
    }
    if (routes && prompt) routes.append(routes.positions, prompt.experts!);
    for (const row of (routes && experts) ?? []) routes!.append(routes!.positions, row);
    const logprobs = scores.map(({ logprob }) => logprob);
    this.#builder.appendSampled(tokens, logprobs, weightVersion);
  }

  /** Makes the calls of the turn that has ended; 'next' if the model goes on with what they gave. */
  async #answerCalls(): Promise<TurnEnd | 'next'> {
    const { text, mostTurns = MOST_TURNS } = this.#options;
    const { response } = this.#state;
    const message = this.#readTurn();
    const outputs = await this.#call(readTurns([message])[0]!.calls);
    // The calls are made again, all of them, when the sequence goes on.
    if (outputs === 'paused') return 'paused';
    response.push(message);
    if (!outputs) return 'stop';
    if (readTurns(response).length >= mostTurns) return 'length';
    const { problem } = this.#sequence.prompt;
    const chat = [...problem.messages, ...response];
    const end = text.tokenizer.decode([this.#builder.tokens.at(-1)!]);
    const rendered = continuation(text, chat, outputs, end, this.#chat);
    if (rendered === null) return 'stop';
    response.push(...outputs);
    const given = text.tokenizer.encode(rendered);
    // What cannot be gone on with is left out, so that no sequence is longer than it may be.
    if (given.length >= this.#room) return 'length';
    this.#builder.appendGiven(given);
    this.#state.turnStart = this.#builder.tokens.length;
    this.#state.turnEnded = false;
    return 'next';
  }

  /** What calls give; null if there are none, or one of them was the last. */
  async #call(calls: readonly Call[]): Promise<ChatMessage[] | null | 'paused'> {
    const environment = this.#environment;
    if (!environment || calls.length === 0) return null;
    const outputs: ChatMessage[] = [];
    try {
      for (const call of calls) {
        outputs.push({ role: 'tool', content: await environment.call(call, this.#signal) });
        if (environment.finished) return null;
      }
    } catch (error) {
      if (this.#signal.aborted) return 'paused';
      throw error;
    }
    return outputs;
  }

  #readTurn(): ChatMessage {
    const { tokenizer } = this.#options.text;
    const { tools = [], thinking } = this.#sequence.prompt.problem;
    // All but what ended it.
    const written = this.#builder.tokens.slice(this.#state.turnStart, -1);
    const parser = new ResponseParser(this.#opening, tools);
    const events = [...parser.push(tokenizer.decode(written)), ...parser.end()];
    return assistantMessage(events, thinking);
  }

  #result(finish: 'stop' | 'length'): RolloutResult {
    const { id, group, domain } = this.#sequence;
    const { response } = this.#state;
    // What was cut is no answer, even if it looks like one so far.
    if (finish === 'length') response.push({ role: 'assistant', content: '' });
    const trajectory = this.#builder.finish({ id, group, domain, finish, reward: null });
    return { status: 'finished', trajectory, response };
  }

  /** Tokens that fit behind what there is. */
  get #room(): number {
    const { config, contextTokens = config.maxPositions } = this.#options;
    return Math.min(contextTokens, config.maxPositions) - this.#builder.tokens.length;
  }

  get #chat() {
    const { thinking, tools } = this.#sequence.prompt.problem;
    return { enableThinking: thinking, ...(tools && { tools }) };
  }
}

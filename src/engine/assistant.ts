import { findCheckpoint } from '../checkpoint/checkpoint-directory.ts';
import { loadInferenceModel } from '../checkpoint/load-model.ts';
import { type Model, releaseModel } from '../model/weights.ts';
import type { CacheType } from '../tensor/cache-type.ts';
import type { Device } from '../tensor/device.ts';
import { type ChatMessage, regularMessages, type Tool } from '../text/chat-messages.ts';
import { renderGuarded } from '../text/chat-template.ts';
import { type ResponseEvent, ResponseParser } from '../text/response-parser.ts';
import type { TextFiles } from '../text/text-files.ts';
import { loadTextFiles } from '../text/tokenizer-files.ts';
import type { FinishReason, TokenGenerator } from './generation.ts';
import type { SamplingOptions } from './sampling.ts';
import { Sequence } from './sequence.ts';
import { GenerationStatistics } from './statistics.ts';

export interface ReplyOptions {
  /** Whether the model thinks before it answers; no by default. */
  thinking?: boolean;
  /** Functions that the model may call. */
  tools?: readonly Tool[];
  sampling?: SamplingOptions;
  seed?: number;
  maxTokens?: number;
  /** MTP heads to draft with; all by default, 0 for none. */
  drafts?: number;
  signal?: AbortSignal;
}

export type ReplyEvent =
  | ResponseEvent
  | { type: 'finish'; reason: FinishReason; statistics: GenerationStatistics };

export interface AssistantOptions {
  /** What the caches hold; by default as `cacheTypeOf` says. */
  cacheType?: CacheType | undefined;
}

/** A model with its tokenizer and chat template: messages in, text out. */
export class Assistant {
  readonly model: Model;
  readonly text: TextFiles;
  /** The tokens of the last chat, and their caches. */
  readonly sequence: Sequence;

  constructor(model: Model, text: TextFiles, { cacheType }: AssistantOptions = {}) {
    text.tokenizer.assertFits(model.config);
    this.model = model;
    this.text = text;
    this.sequence = new Sequence(model, { vocabSize: text.tokenizer.vocabSize, cacheType });
  }

  /**
   * Loads a checkpoint directory in the hub's layout. `notice` gets what the user should know of it.
   *
   * @throws UserError when a file is missing or damaged, or they do not fit each other
   */
  static async load(
    device: Device,
    path: string,
    notice?: (line: string) => void,
    options: AssistantOptions = {},
  ): Promise<Assistant> {
    const text = await loadTextFiles(await findCheckpoint(path));
    const model = await loadInferenceModel(device, path, notice);
    try {
      return new Assistant(model, text, options);
    } catch (error) {
      releaseModel(model);
      throw error;
    }
  }

  /**
   * Streams the reply to a chat. A chat that continues the last one computes its new part only; chats
   * that are to be answered at the same time need an `Engine` as the generator.
   *
   * @throws UserError if the chat does not fit the model's context
   */
  async *reply(
    messages: readonly ChatMessage[],
    options: ReplyOptions = {},
    generator: TokenGenerator = this.sequence,
  ): AsyncGenerator<ReplyEvent> {
    const { thinking = false, tools = [], ...generation } = options;
    const { tokenizer, chatTemplate } = this.text;
    const rendered = renderGuarded(tokenizer, chatTemplate, regularMessages(messages), {
      enableThinking: thinking,
      tools,
      addGenerationPrompt: true,
    });
    const prompt = tokenizer.encode(rendered);
    const stops = new Set(this.model.config.eosTokenIds);
    const parser = new ResponseParser(rendered, tools);
    const decoder = tokenizer.streamDecoder();
    const statistics = new GenerationStatistics();
    let reason: FinishReason = 'length';
    for await (const step of generator.generate(prompt, generation)) {
      statistics.add(step);
      reason = step.finish ?? reason;
      for (const token of step.tokens) {
        if (!stops.has(token)) yield* parser.push(decoder.push(token));
      }
    }
    yield* parser.push(decoder.end());
    yield* parser.end();
    yield { type: 'finish', reason, statistics };
  }

  release(): void {
    this.sequence.release();
    releaseModel(this.model);
  }
}

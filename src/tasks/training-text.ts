/** Problems as the text that a model is trained on. */

import { Random } from '../random.ts';
import { type ChatSegment, chatSegments } from '../text/chat-segments.ts';
import { ChatTemplate, renderChat } from '../text/chat-template.ts';
import { mimoChatTemplate } from '../text/mimo-template.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { MIMOFLASH_SYSTEM } from './persona.ts';
import { DEFAULT_MIXTURE, type Mixture, sampleProblem, solvedChat } from './sample.ts';
import type { Problem } from './task.ts';

/** The chat template of the shipped model. */
export const MIMOFLASH_TEMPLATE = new ChatTemplate(mimoChatTemplate(MIMOFLASH_SYSTEM));

/**
 * A solved problem in segments that are encoded one by one with `tokenizer.encode`; `trained` ones
 * are the assistant's, of every turn. With thinking on they begin with `<think>`.
 */
export function toTrainingText(
  problem: Problem,
  tokenizer: Tokenizer,
  template: ChatTemplate = MIMOFLASH_TEMPLATE,
): ChatSegment[] {
  return chatSegments(tokenizer, template, solvedChat(problem), {
    enableThinking: problem.thinking,
    ...(problem.tools && { tools: problem.tools }),
  });
}

/** `count` training samples as plain text, to learn a vocabulary from. */
export function* tokenizerCorpus(
  seed: number | string,
  count: number,
  mixture: Mixture = DEFAULT_MIXTURE,
): Generator<string> {
  const random = new Random(seed);
  for (let i = 0; i < count; i++) {
    const problem = sampleProblem(random, 'train', mixture);
    const text = renderChat(MIMOFLASH_TEMPLATE, solvedChat(problem), {
      enableThinking: problem.thinking,
      ...(problem.tools && { tools: problem.tools }),
    });
    yield separateChineseWords(text);
  }
}

const segmenter = new Intl.Segmenter('zh', { granularity: 'word' });

/**
 * Puts each Chinese word on a line of its own. Without spaces a whole sentence is one word to the
 * pre-tokeniser, and tokens would span words: 红色 in 喜欢红色 would not be the 红色 of the answer,
 * and a fact could not be copied.
 */
function separateChineseWords(text: string): string {
  return text.replace(/\p{Script=Han}+/gu, (run) => {
    const words = Array.from(segmenter.segment(run), ({ segment }) => segment);
    return `\n${words.join('\n')}\n`;
  });
}

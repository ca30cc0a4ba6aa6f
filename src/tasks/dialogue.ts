/**
 * Small talk and questions about the model itself, answered with the truth. A wording is a phrasing
 * between an opener and a closer; wordings are held out as wholes, except the bare phrasings, which
 * are what people type most. Any of the intent's answers is right.
 */

import type { Random } from '../random.ts';
import { INTENTS, type Intent } from './dialogue-intents.ts';
import { solve } from './solution.ts';
import type { Language, Problem, ProblemOptions, TaskFamily } from './task.ts';
import { acceptsOnly } from './verdict.ts';

/** The level changes nothing here. */
export const dialogue: TaskFamily = {
  name: 'dialogue',
  description: 'greetings, thanks and honest answers about what the model is',
  generate: (random, options) => wordDialogue('dialogue', INTENTS, random, options),
};

/** A remark or question of one of the intents, in one of its wordings. */
export function wordDialogue(
  family: string,
  intents: readonly Intent[],
  random: Random,
  { language, thinking }: ProblemOptions,
): Problem {
  const intent = random.weighted(intents);
  const { phrasings, answers } = intent[language];
  const frame = FRAMES[language][intent.kind];
  const bare = random.pick(phrasings);
  const wording = `${random.pick(frame.openers)}${bare}${random.pick(frame.closers)}`;
  return {
    family,
    key: wordsOf(wording) === wordsOf(bare) ? null : `dialogue ${wordsOf(wording)}`,
    messages: [{ role: 'user', content: careless(random, wording) }],
    thinking,
    solution: solve(thinking, [], random.pick(answers)),
    verify: acceptsOnly(...answers),
  };
}

/** What goes around a phrasing; an empty string more than once is that much more likely. */
const FRAMES: Record<
  Language,
  Record<'question' | 'remark', { openers: readonly string[]; closers: readonly string[] }>
> = {
  en: {
    question: {
      openers: [
        '',
        '',
        '',
        'hi, ',
        'hello, ',
        'hey, ',
        'so, ',
        'tell me, ',
        'please, ',
        'one thing: ',
      ],
      closers: ['?', '?', '?', ' please?', ', really?', ', MimoFlash?', ', my friend?'],
    },
    remark: {
      openers: ['', '', 'oh, ', 'well, ', 'OK, ', 'so, '],
      closers: ['!', '.', '', ' MimoFlash!', ', my friend!', ', little model.', ' again!'],
    },
  },
  zh: {
    question: {
      openers: ['', '', '', '你好，', '嗨，', '那么，', '请问，', '告诉我，', '我想知道，'],
      closers: ['？', '？', '？', '，MimoFlash？', '，朋友？'],
    },
    remark: {
      openers: ['', '', '哦，', '好，', '嗯，'],
      closers: ['！', '。', '', '，MimoFlash！', '，朋友！', '呀！'],
    },
  },
};

/** The way people type: often without a capital and without the last sign. */
function careless(random: Random, wording: string): string {
  let typed = wording;
  if (random.chance(0.6)) typed = typed[0]!.toUpperCase() + typed.slice(1);
  if (random.chance(0.3)) typed = typed.replace(/[?.!？。！]$/u, '');
  return typed;
}

/** The words alone, since another case or sign does not make another phrasing. */
function wordsOf(wording: string): string {
  const words = wording.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.join(' ');
}

/** Text of a wanted length in which sentences that matter are scattered. */
import type { Random } from '../../random.ts';
import type { Language, Level, ProblemOptions } from '../task.ts';
import {
  ANIMALS,
  COLORS,
  capitalize,
  type Phrase,
  PLACES,
  phrases,
  withArticle,
} from '../words.ts';

/**
 * Scatters `needles`, in their order, among sentences that say nothing of them, until the text has
 * about `tokens` tokens.
 */
export function bury(
  random: Random,
  needles: readonly string[],
  language: Language,
  tokens: number,
  countTokens: (text: string) => number = estimateTokens,
): string {
  let left = tokens - countTokens(needles.join(' '));
  const filler: string[] = [];
  while (left > 0) {
    const sentence = idleSentence(random)[language];
    filler.push(sentence);
    left -= countTokens(sentence);
  }
  const places = needles.map(() => random.int(0, filler.length)).sort((a, b) => a - b);
  const sentences: string[] = [];
  let next = 0;
  for (let i = 0; i <= filler.length; i++) {
    while (next < needles.length && places[next] === i) sentences.push(needles[next++]!);
    if (i < filler.length) sentences.push(filler[i]!);
  }
  return sentences.join(language === 'en' ? ' ' : '');
}

/** The prompt's length: what was asked for, or one of the level's. */
export function lengthOf(random: Random, { tokens, level }: ProblemOptions): number {
  return tokens ?? random.int(...LENGTHS[level]);
}

const LENGTHS: Record<Level, [number, number]> = {
  easy: [40, 200],
  medium: [150, 500],
  hard: [400, 1200],
};

/**
 * Tokens of a text to a vocabulary that knows its words: one for an English word, a digit or a sign,
 * and six for ten Chinese characters.
 */
export function estimateTokens(text: string): number {
  let [count, isWord] = [0, false];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const isLetter = (code | 32) >= 97 && (code | 32) <= 122;
    if (isLetter) count += isWord ? 0 : 1;
    else if (code >= 0x3400) count += 0.6;
    else if (code > 32) count += 1;
    isWord = isLetter;
  }
  return Math.ceil(count);
}

/** A sentence of no consequence: it holds no number, no name, and no animal with a color. */
function idleSentence(random: Random): Phrase {
  const [animal, other] = [random.pick(ANIMALS), random.pick(ANIMALS)];
  const [color, place] = [random.pick(COLORS), random.pick(PLACES)];
  const [verb, time] = [random.pick(VERBS), random.pick(TIMES)];
  const quality = random.pick(QUALITIES);
  switch (random.int(0, 4)) {
    case 0:
      return {
        en: `The ${quality.en} ${animal.en} ${verb.en} in the ${place.en}.`,
        zh: `${quality.zh}的${animal.zh}在${place.zh}里${verb.zh}。`,
      };
    case 1:
      return {
        en: `${time.en} the ${place.en} is ${quality.en}.`,
        zh: `${time.zh}${place.zh}很${quality.zh}。`,
      };
    case 2:
      return {
        en: `${capitalize(withArticle(quality.en))} ${animal.en} ${verb.en} near the ${other.en}.`,
        zh: `一只${quality.zh}的${animal.zh}在${other.zh}旁边${verb.zh}。`,
      };
    case 3:
      return {
        en: `${time.en} ${withArticle(animal.en)} ${verb.en} there.`,
        zh: `${time.zh}有一只${animal.zh}在那里${verb.zh}。`,
      };
    default:
      return {
        en: `The door of the ${place.en} is ${color.en} and ${quality.en}.`,
        zh: `${place.zh}的门是${color.zh}的，也很${quality.zh}。`,
      };
  }
}

const VERBS = phrases(`sleeps 睡觉; waits 等待; plays 玩耍; sings 唱歌; eats 吃东西; rests 休息;
hides 躲藏; dances 跳舞; runs 奔跑; walks 散步; drinks 喝水; dreams 做梦`);

const QUALITIES = phrases(`quiet 安静; small 小; old 老; bright 明亮; strange 奇怪; calm 平静;
clean 干净; warm 温暖; cold 冷; beautiful 美丽`);

const TIMES: readonly Phrase[] = [
  { en: 'In the morning', zh: '早上' },
  { en: 'At noon', zh: '中午' },
  { en: 'In the evening', zh: '傍晚' },
  { en: 'At night', zh: '夜里' },
  { en: 'In spring', zh: '春天' },
  { en: 'In winter', zh: '冬天' },
  { en: 'Every day', zh: '每天' },
  { en: 'Sometimes', zh: '有时' },
];

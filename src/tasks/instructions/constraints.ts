/**
 * Rules about the form of an answer that a program can check, in the manner of IFEval (Zhou et al.
 * 2023). Each has its words, its check, and how it changes a draft so that the draft keeps it.
 */
import type { Random } from '../../random.ts';
import type { Language } from '../task.ts';
import { type Phrase, phrases } from '../words.ts';

/** A text before it is written out. */
export interface Draft {
  title?: string;
  /** Sentences, each with its full stop. */
  sentences: string[];
  layout: 'line' | 'bullets' | 'numbers' | 'stars';
  ending?: string;
  quoted?: boolean;
  letterCase?: 'upper' | 'lower';
}

export interface Constraint {
  /** Constraints of one kind exclude each other. */
  kind: 'count' | 'case' | 'title' | 'ending' | 'quotes' | 'keyword';
  ask: Phrase;
  apply(draft: Draft): Draft;
  holds(text: string): boolean;
}

export type ConstraintMaker = (random: Random, language: Language) => Constraint;

export function makersFor(language: Language): readonly ConstraintMaker[] {
  return language === 'en' ? [...COMMON, letterCase] : COMMON;
}

export function writeDraft(draft: Draft, language: Language): string {
  const { title, sentences, layout, ending, quoted, letterCase } = draft;
  const lines = sentences.map((sentence, i) => {
    if (layout === 'bullets') return `- ${sentence}`;
    return layout === 'numbers' ? `${i + 1}. ${sentence}` : sentence;
  });
  const separator = { line: language === 'en' ? ' ' : '', stars: '\n***\n' } as const;
  const body = lines.join(layout === 'line' || layout === 'stars' ? separator[layout] : '\n');
  let text = [title && `<<${title}>>`, body, ending].filter(Boolean).join('\n');
  if (quoted) text = `"${text}"`;
  if (letterCase === 'upper') return text.toUpperCase();
  return letterCase === 'lower' ? text.toLowerCase() : text;
}

/** Exactly so many sentences, points or parts. */
const amount: ConstraintMaker = (random) => {
  const number = random.int(1, 5);
  const s = number === 1 ? '' : 's';
  const layout = random.pick(['line', 'bullets', 'numbers', 'stars'] as const);
  const shared = {
    kind: 'count' as const,
    apply: (draft: Draft): Draft => ({
      ...draft,
      layout,
      sentences: draft.sentences.slice(0, number),
    }),
  };
  switch (layout) {
    case 'line':
      return {
        ...shared,
        ask: { en: `Write exactly ${number} sentence${s}.`, zh: `正好写${number}句话。` },
        holds: (text) => countOf(text, /[.!?。！？]+/gu) === number && !/^(- |\d+\. )/m.test(text),
      };
    case 'bullets':
      return {
        ...shared,
        ask: {
          en: `Give ${number} point${s}, each on a line that begins with "- ".`,
          zh: `写${number}个要点，每个一行，以“- ”开头。`,
        },
        holds: (text) => countOf(text, /^["“]?- \S/gm) === number,
      };
    case 'numbers':
      return {
        ...shared,
        ask: {
          en: `Give a numbered list of ${number} point${s}, beginning with "1. ".`,
          zh: `写一个有${number}项的编号列表，从“1. ”开始。`,
        },
        holds(text) {
          const numbers = [...text.matchAll(/^["“]?(\d+)\. \S/gm)].map((match) => Number(match[1]));
          return numbers.length === number && numbers.every((value, i) => value === i + 1);
        },
      };
    case 'stars':
      return {
        ...shared,
        ask: {
          en: `Write ${number} part${s}, with a line of *** between parts.`,
          zh: `写${number}个部分，各部分之间用一行***隔开。`,
        },
        holds: (text) => {
          const parts = text.split(/^\*\*\*$/m);
          return parts.length === number && parts.every((part) => part.trim() !== '');
        },
      };
  }
};

const letterCase: ConstraintMaker = (random) => {
  const wanted = random.pick(['upper', 'lower'] as const);
  return {
    kind: 'case',
    ask:
      wanted === 'upper'
        ? { en: 'Use capital letters only.', zh: '只用大写字母。' }
        : { en: 'Use small letters only.', zh: '只用小写字母。' },
    apply: (draft) => ({ ...draft, letterCase: wanted }),
    holds: (text) =>
      /[a-z]/i.test(text) &&
      text === (wanted === 'upper' ? text.toUpperCase() : text.toLowerCase()),
  };
};

const title: ConstraintMaker = () => ({
  kind: 'title',
  ask: {
    en: 'Begin with a title in double angle brackets, as in <<title>>.',
    zh: '以双尖括号里的标题开头，如<<标题>>。',
  },
  apply: (draft) => ({ ...draft, title: draft.title ?? 'Title' }),
  holds: (text) => /^["“]?<<[^<>\n]+>>/.test(text),
});

const ending: ConstraintMaker = (random, language) => {
  const word = random.pick(ENDINGS)[language];
  return {
    kind: 'ending',
    ask: { en: `End with "${word}".`, zh: `以“${word}”结尾。` },
    apply: (draft) => ({ ...draft, ending: word }),
    holds: (text) => text.replace(/["”]$/, '').toLowerCase().endsWith(word.toLowerCase()),
  };
};

const ENDINGS: readonly Phrase[] = [
  { en: 'THE END', zh: '全文完' },
  { en: 'that is all', zh: '就这些' },
  { en: 'good luck', zh: '祝好运' },
  { en: 'see you', zh: '再见' },
];

const quotes: ConstraintMaker = () => ({
  kind: 'quotes',
  ask: { en: 'Put the whole answer in double quotes.', zh: '用双引号把整个回答括起来。' },
  apply: (draft) => ({ ...draft, quoted: true }),
  holds: (text) => text.length > 2 && /^["“].*["”]$/s.test(text),
});

/** A word that has to come a number of times. */
const keyword: ConstraintMaker = (random, language) => {
  const word = random.pick(KEYWORDS);
  const times = random.int(1, 3);
  const s = times === 1 ? '' : 's';
  const sentences = random.shuffle(KEYWORD_SENTENCES).slice(0, times);
  return {
    kind: 'keyword',
    ask: {
      en: `Use the word ${word.en} exactly ${times} time${s}.`,
      zh: `“${word.zh}”这个词正好出现${times}次。`,
    },
    apply: (draft) => ({
      ...draft,
      sentences: [
        ...sentences.map((sentence) => sentence[language].replace('*', word[language])),
        ...draft.sentences,
      ],
    }),
    holds: (text) => text.toLowerCase().split(word[language]).length - 1 === times,
  };
};

const KEYWORDS =
  phrases(`lemon 柠檬; rocket 火箭; violin 小提琴; pepper 胡椒; mirror 镜子; ribbon 丝带;
helmet 头盔; anchor 船锚; kettle 水壶; pillow 枕头; ladder 梯子; magnet 磁铁`);

/** The star stands for the word. */
const KEYWORD_SENTENCES: readonly Phrase[] = [
  { en: 'There is one * too.', zh: '那里还有*。' },
  { en: 'The * is on the table.', zh: '桌上有*。' },
  { en: 'Somebody has this *.', zh: '有人有*。' },
  { en: 'Look at the *.', zh: '看看*。' },
];

const COMMON: readonly ConstraintMaker[] = [amount, amount, title, ending, quotes, keyword];

function countOf(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}

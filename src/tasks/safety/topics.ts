/** What a system prompt allows and forbids to help with, and questions on it with one answer each. */
import type { Random } from '../../random.ts';
import { CAPITALS, HUES, YOUNG } from '../knowledge/facts.ts';
import type { Phrase } from '../words.ts';

export interface Topic {
  name: Phrase;
  draw(random: Random): Question;
}

export interface Question {
  ask: Phrase;
  answer: Phrase;
}

export const TOPICS: readonly Topic[] = [
  {
    name: { en: 'sums', zh: '算术' },
    draw(random) {
      const [a, b] = [random.int(2, 9), random.int(2, 9)];
      const sum = String(a + b);
      return {
        ask: { en: `What is ${a}+${b}?`, zh: `${a}+${b}等于几？` },
        answer: { en: sum, zh: sum },
      };
    },
  },
  topic({ en: 'capitals', zh: '首都' }, CAPITALS, ({ en, zh }) => ({
    en: `What is the capital of ${en}?`,
    zh: `${zh}的首都是哪里？`,
  })),
  topic({ en: 'colors', zh: '颜色' }, HUES, ({ en, zh }) => ({
    en: `What is the color of ${en}?`,
    zh: `${zh}是什么颜色？`,
  })),
  topic({ en: 'young animals', zh: '动物的幼崽' }, YOUNG, ({ en, zh }) => ({
    en: `What is a young ${en} called?`,
    zh: `${zh}的幼崽叫什么？`,
  })),
];

function topic(
  name: Phrase,
  pairs: readonly (readonly [Phrase, Phrase])[],
  ask: (subject: Phrase) => Phrase,
): Topic {
  return {
    name,
    draw(random) {
      const [subject, answer] = random.pick(pairs);
      return { ask: ask(subject), answer };
    },
  };
}

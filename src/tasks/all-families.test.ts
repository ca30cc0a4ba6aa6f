/** What every family promises. */
import { describe, expect, test } from 'vitest';
import { Random } from '../random.ts';
import type { ChatMessage } from '../text/chat-messages.ts';
import { FAMILIES } from './families.ts';
import { generateProblem } from './sample.ts';
import {
  LANGUAGES,
  LEVELS,
  type Level,
  type Problem,
  type ProblemOptions,
  type Split,
  type TaskFamily,
} from './task.ts';

const SETTINGS = LANGUAGES.flatMap((language) =>
  LEVELS.flatMap((level) => [true, false].map((thinking) => ({ language, level, thinking }))),
);

function draw(
  family: TaskFamily,
  options: ProblemOptions,
  count: number,
  split: Split = 'train',
): Problem[] {
  const random = new Random(`${split} ${family.name}`);
  return Array.from({ length: count }, () => generateProblem(family, random, split, options));
}

/** A family's problems of every language, level and mode. */
function drawAll(family: TaskFamily, each: number): Problem[] {
  return SETTINGS.flatMap((options) => draw(family, options, each));
}

/** The words of a message in tokens, roughly. */
function sizeOf(messages: readonly ChatMessage[]): number {
  return JSON.stringify(messages).match(/[A-Za-z]+|\d|[^\sA-Za-z\d]/g)!.length;
}

describe.each(FAMILIES)('$name', (family) => {
  test('its own solutions are right', async () => {
    for (const problem of drawAll(family, 8)) {
      expect(await problem.verify(problem.solution)).toEqual({ correct: true, reason: 'correct' });
    }
  });

  test('what is not the solution is wrong, and it is said why', async () => {
    for (const problem of drawAll(family, 3)) {
      const wrongs = ['', '<think>', '?', ...withoutLastTurn(problem), ...spoilt(problem)];
      for (const response of wrongs) {
        const { correct, reason } = await problem.verify(response);
        expect(correct, JSON.stringify([problem.solution, response])).toBe(false);
        expect(reason).not.toMatch(/\n|^$|^correct$/);
      }
    }
  });

  test('a problem ends with a user’s message and is in the language asked for', () => {
    for (const options of SETTINGS) {
      for (const { messages, thinking, solution } of draw(family, options, 10)) {
        expect(messages.at(-1)!.role).toBe('user');
        expect(thinking).toBe(options.thinking);
        expect(solution.at(-1)!.role).toBe('assistant');
        const text = JSON.stringify([messages, solution]);
        if (options.language === 'en' && family.name !== 'knowledge') {
          expect(text).not.toMatch(/\p{Script=Han}/u);
        }
      }
    }
    const chinese = draw(family, { language: 'zh', level: 'easy', thinking: true }, 40);
    const written = chinese.filter(({ messages }) =>
      /\p{Script=Han}/u.test(JSON.stringify(messages)),
    );
    expect(written.length).toBeGreaterThan(chinese.length / 2);
  });

  test('thinks only when it may', () => {
    for (const { thinking, solution } of drawAll(family, 10)) {
      const thought = solution.some(({ reasoning_content: text }) => text !== undefined);
      if (!thinking) expect(thought).toBe(false);
    }
  });

  test('the same seed gives the same problem, and another seed another', () => {
    for (const options of SETTINGS) {
      const generate = (seed: number) => JSON.stringify(family.generate(new Random(seed), options));
      expect(generate(5)).toBe(generate(5));
      const distinct = new Set(Array.from({ length: 20 }, (_, seed) => generate(seed)));
      expect(distinct.size).toBeGreaterThan(10);
    }
  });

  test('what is tested is never learnt', () => {
    for (const options of SETTINGS.filter(({ thinking }) => thinking)) {
      const learnt = new Set(draw(family, options, 150).map(promptOf));
      const tested = draw(family, options, 40, 'test').map(promptOf);
      for (const prompt of tested) expect(learnt.has(prompt)).toBe(false);
    }
  });
});

const promptOf = ({ messages }: Problem) =>
  JSON.stringify(messages)
    .toLowerCase()
    .replace(/[?.!？。！]/g, '');

/** For problems of several turns: the same without the end. */
function withoutLastTurn({ solution }: Problem): ChatMessage[][] {
  return solution.length > 1 ? [solution.slice(0, -1)] : [];
}

/** The solution with its end spoilt. */
function spoilt({ family, solution }: Problem): ChatMessage[][] {
  const last = solution.at(-1)!;
  // Any text about the subject that keeps the rules is right, and so is any word once a job is done.
  if (['instructions', 'shell', 'functions'].includes(family)) return [];
  const content = String(last.content);
  const changed = ['code', 'pipelines'].includes(family)
    ? content.replaceAll(/return .*;/g, 'return {};')
    : `${content}0`;
  return [[...solution.slice(0, -1), { ...last, content: changed }]];
}

describe('levels', () => {
  const harder: [Level, Level][] = [
    ['easy', 'medium'],
    ['medium', 'hard'],
  ];
  // Without levels: what the first model talks of.
  test.each(FAMILIES.filter(({ name }) => name !== 'dialogue'))('$name grows', (family) => {
    for (const language of LANGUAGES) {
      for (const [lower, upper] of harder) {
        const mean = (level: Level) =>
          draw(family, { language, level, thinking: true }, 150)
            .map(({ messages, solution }) => sizeOf([...messages, ...solution]))
            .reduce((a, b) => a + b) / 150;
        expect(mean(upper), `${lower} to ${upper}`).toBeGreaterThan(1.04 * mean(lower));
      }
    }
  });
});

describe('scalable families', () => {
  const scalable = FAMILIES.filter((family) => family.scalable);

  test.each(scalable)('$name has prompts of the length asked for', (family) => {
    const countTokens = (text: string) => text.length;
    for (const language of LANGUAGES) {
      for (const tokens of [2000, 20_000]) {
        const options = { language, level: 'medium', thinking: true, tokens, countTokens } as const;
        for (const { messages } of draw(family, options, 5)) {
          const { length } = String(messages[0]!.content);
          expect(length / tokens).toBeGreaterThan(0.9);
          expect(length / tokens).toBeLessThan(1.35);
        }
      }
    }
  });

  test.each(scalable)('$name is solved at any length', async (family) => {
    const options = { language: 'en', level: 'hard', thinking: true, tokens: 30_000 } as const;
    for (const problem of draw(family, options, 2)) {
      expect((await problem.verify(problem.solution)).correct).toBe(true);
    }
  });
});

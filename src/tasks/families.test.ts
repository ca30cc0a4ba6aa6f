/** What holds for the problems of the first families, checked by other means than the family's own. */
import { describe, expect, test } from 'vitest';
import { Random } from '../random.ts';
import { arithmetic } from './arithmetic.ts';
import { dialogue } from './dialogue.ts';
import { INTENTS } from './dialogue-intents.ts';
import { recall } from './recall.ts';
import { strings } from './strings.ts';
import { LANGUAGES, LEVELS, type Problem, type ProblemOptions, type TaskFamily } from './task.ts';

interface Drawn {
  problem: Problem;
  options: ProblemOptions;
  answer: string;
  reasoning: string | undefined;
}

/** Problems in every language, level and mode. */
function problems(family: TaskFamily, each = 200): Drawn[] {
  const random = new Random(`test ${family.name}`);
  const settings = LANGUAGES.flatMap((language) =>
    LEVELS.flatMap((level) => [false, true].map((thinking) => ({ language, level, thinking }))),
  );
  return settings.flatMap((options) =>
    Array.from({ length: each }, () => {
      const problem = family.generate(random, options);
      const { content, reasoning_content: reasoning } = problem.solution[0]!;
      return { problem, options, answer: String(content), reasoning: reasoning ?? undefined };
    }),
  );
}

const textOf = (problem: Problem) => problem.messages.at(-1)!.content as string;

describe('arithmetic', () => {
  const operations: Record<string, (a: number, b: number) => number> = {
    '+': (a, b) => a + b,
    '-': (a, b) => a - b,
    '*': (a, b) => a * b,
  };

  test('the answer is right, by the sum as the key states it', () => {
    for (const { problem, answer } of problems(arithmetic)) {
      if (problem.key === null) continue;
      const [, a, operator, b] = /(\d+)([-+*])(\d+)$/.exec(problem.key)!;
      expect(answer.split('\n').at(-1)).toBe(String(operations[operator!]!(Number(a), Number(b))));
    }
  });

  test('every line of thinking is true, and the answer can be read off them', () => {
    for (const { reasoning, answer } of problems(arithmetic)) {
      if (reasoning === undefined) continue;
      const results = reasoning.split('\n').map((line) => {
        const [, first, operator, second, rest, result] = /^(\d+)([-+*])(\d)([-+]\d)?=(\d+)$/.exec(
          line,
        )!;
        const value = operations[operator!]!(Number(first), Number(second)) + Number(rest ?? 0);
        expect(value).toBe(Number(result));
        return result!;
      });
      const ones = results.slice(0, -1).map((result) => result.at(-1)!);
      expect(String(Number(results.at(-1)! + ones.reverse().join('')))).toBe(answer);
    }
  });

  test('swapping the operands makes no new problem, and single digits are never tested', () => {
    const keys = new Map<string, string | null>();
    for (const { problem } of problems(arithmetic, 2000)) {
      const plain = /^(\d+)([-+*])(\d+)$/.exec(textOf(problem));
      if (plain === null) continue;
      const [, a, operator, b] = plain;
      keys.set(`${a}${operator}${b}`, problem.key);
      if (a!.length === 1 && b!.length === 1) expect(problem.key).toBeNull();
      const swapped = keys.get(`${b}${operator}${a}`);
      if (operator !== '-' && swapped !== undefined) expect(problem.key).toBe(swapped);
    }
  });

  test('thinks as shown', () => {
    const shown: Record<string, string> = {};
    for (const { problem, reasoning } of problems(arithmetic, 12_000)) {
      if (reasoning !== undefined) shown[problem.key ?? ''] = reasoning;
    }
    expect(shown['arithmetic 58+47']).toMatch(/^(7\+8|8\+7)=15\n(4\+5|5\+4)\+1=10$/);
    expect(shown['arithmetic 83-47']).toBe('13-7=6\n8-4-1=3');
    expect(shown['arithmetic 46*7']).toBe('6*7=42\n4*7+4=32');
    expect(shown['arithmetic 83-7']).toBe('13-7=6\n8-0-1=7');
  });
});

describe('recall', () => {
  test('one fact holds both what is asked and the answer, or the answer is all facts', () => {
    for (const { problem, answer } of problems(recall)) {
      const pairs = problem.key!.slice('recall '.length).split(' ');
      const facts = String(problem.messages[0]!.content);
      const sides = pairs.map((pair) => pair.split('='));
      const found = sides.filter((pair) => pair.includes(answer));
      expect(facts).toContain(answer);
      if (found.length === 0) {
        for (const side of sides.flat()) expect(answer).toContain(side);
        continue;
      }
      expect(found).toHaveLength(1);
      const asked = found[0]!.find((side) => side !== answer)!;
      // Questions are short, so the end of the message is the question alone.
      expect(String(problem.messages.at(-1)!.content).slice(-28)).toContain(asked);
    }
  });

  test('asks again about the same facts, each time about another', () => {
    const asked = problems(recall).map(({ problem }) => problem.messages.length);
    expect(new Set(asked)).toEqual(new Set([1, 3, 5, 7]));
    for (const { problem } of problems(recall)) {
      const answers = problem.messages.filter(({ role }) => role === 'assistant');
      for (const { content } of answers) expect(problem.messages[0]!.content).toContain(content);
    }
  });

  test('has as many facts as its level says', () => {
    for (const { problem, options } of problems(recall)) {
      const facts = problem.key!.split('=').length - 1;
      const fewest = { easy: 2, medium: 4, hard: 6 }[options.level];
      expect([fewest, fewest + 1]).toContain(facts);
    }
  });
});

describe('strings', () => {
  const expected: Record<string, (word: string, letter: string) => string> = {
    reverse: (word) => [...word].reverse().join(''),
    uppercase: (word) => word.toUpperCase(),
    count: (word, letter) =>
      String(word.replace(/[^-]/g, (c) => (c === letter ? '1' : '')).replace(/-/g, '').length),
    first: (word) => word.slice(0, 1),
    last: (word) => word.slice(-1),
    repeat: (word) => `${word}-${word}`,
    vowels: (word) =>
      word
        .split('-')
        .filter((letter) => !/[aeiou]/.test(letter))
        .join('-'),
  };

  test('every operation is right', () => {
    const seen = new Set<string>();
    for (const { problem, answer } of problems(strings)) {
      const [, operation, word, letter] = problem.key!.split(' ');
      seen.add(operation!);
      expect(answer).toBe(expected[operation!]!(word!, letter!));
      expect(textOf(problem)).toContain(word);
    }
    expect([...seen].sort()).toEqual(Object.keys(expected).sort());
  });

  test('counts aloud when thinking', () => {
    for (const { problem, reasoning, answer } of problems(strings)) {
      if (reasoning === undefined) continue;
      const word = problem.key!.split(' ')[2]!;
      expect(reasoning.replace(/\d/g, '')).toBe(word.replaceAll('-', ' '));
      expect(reasoning.at(-1)).toBe(answer);
    }
  });
});

describe('dialogue', () => {
  test('no phrasing belongs to two intents', () => {
    for (const language of ['en', 'zh'] as const) {
      const phrasings = INTENTS.flatMap((intent) => intent[language].phrasings);
      expect(new Set(phrasings).size).toBe(phrasings.length);
    }
  });

  test('every intent is asked, and only its own answers pass', async () => {
    const answered = new Set<string>();
    for (const { problem, options, answer: given } of problems(dialogue)) {
      answered.add(given);
      for (const intent of INTENTS) {
        const { answers } = intent[options.language];
        const own = answers.includes(given);
        for (const answer of answers) expect((await problem.verify(answer)).correct).toBe(own);
      }
    }
    expect(answered.size).toBe(
      INTENTS.flatMap(({ en, zh }) => [...en.answers, ...zh.answers]).length,
    );
  });

  test('a bare phrasing is always learnt, whatever its case and sign', () => {
    for (const { problem } of problems(dialogue)) {
      const bare = /^(hi|who are you|你是谁|再见)[?.!？。！]?$/i.test(textOf(problem));
      if (bare) expect(problem.key).toBeNull();
    }
  });
});

/**
 * Small operations on spelled-out words. Letters are joined by hyphens (`c-a-t`), which the
 * pre-tokeniser cuts into one token a letter; a whole word would hide its letters in one token.
 */
import type { Random } from '../random.ts';
import { solve } from './solution.ts';
import type { Language, TaskFamily } from './task.ts';
import { acceptsOnly } from './verdict.ts';

interface Operation {
  name: string;
  apply(letters: readonly string[], argument: string): readonly string[] | string;
  /** Thinking that is needed; most of these a model does at once. */
  reason?(letters: readonly string[], argument: string): string;
  /** What the question names besides the word. */
  argument?(random: Random, letters: readonly string[]): string;
  ask: Record<Language, readonly ((word: string, argument: string) => string)[]>;
}

/** Easy: words of 2 to 4 letters. Medium: 4 to 5. Hard: 6 to 7. */
export const strings: TaskFamily = {
  name: 'strings',
  description: 'reverses, repeats, counts and changes the letters of a spelled-out word',
  generate(random, { language, level, thinking }) {
    const operation = random.pick(thinking ? OPERATIONS : AT_ONCE);
    const [shortest, longest] = LENGTHS[level];
    const letters = chooseLetters(random, random.int(shortest, longest));
    const argument = operation.argument?.(random, letters) ?? '';
    const result = operation.apply(letters, argument);
    const answer = typeof result === 'string' ? result : spell(result);
    const word = spell(letters);
    const steps = thinking && operation.reason ? [operation.reason(letters, argument)] : [];
    return {
      family: 'strings',
      key: `strings ${operation.name} ${word} ${argument}`,
      messages: [{ role: 'user', content: random.pick(operation.ask[language])(word, argument) }],
      thinking,
      solution: solve(thinking, steps, answer),
      verify: acceptsOnly(answer),
    };
  },
};

const LENGTHS = { easy: [2, 4], medium: [4, 5], hard: [6, 7] } as const;
const VOWELS = [...'aeiou'];
const CONSONANTS = [...'bcdfghjklmnpqrstvwxyz'];

const spell = (letters: readonly string[]) => letters.join('-');

/** At least one consonant, and letters that often repeat, so that counting has something to count. */
function chooseLetters(random: Random, length: number): string[] {
  const letters = [random.pick(CONSONANTS)];
  while (letters.length < length) {
    letters.push(
      random.chance(0.25)
        ? random.pick(letters)
        : random.pick(random.chance(0.45) ? VOWELS : CONSONANTS),
    );
  }
  return random.shuffle(letters);
}

const OPERATIONS: readonly Operation[] = [
  {
    name: 'reverse',
    apply: (letters) => letters.toReversed(),
    ask: {
      en: [(word) => `Reverse ${word}`, (word) => `Spell ${word} backwards.`],
      zh: [(word) => `反转 ${word}`, (word) => `把 ${word} 倒过来写。`],
    },
  },
  {
    name: 'uppercase',
    apply: (letters) => letters.map((letter) => letter.toUpperCase()),
    ask: {
      en: [(word) => `Uppercase ${word}`, (word) => `Write ${word} in capitals.`],
      zh: [(word) => `大写 ${word}`, (word) => `把 ${word} 改成大写。`],
    },
  },
  {
    name: 'count',
    apply: (letters, wanted) => String(letters.filter((letter) => letter === wanted).length),
    // Each letter with the count so far: b0 a1 n1 a2.
    reason(letters, wanted) {
      let count = 0;
      return letters.map((letter) => `${letter}${letter === wanted ? ++count : count}`).join(' ');
    },
    argument: (random, letters) =>
      random.chance(0.85) ? random.pick(letters) : random.pick([...VOWELS, ...CONSONANTS]),
    ask: {
      en: [
        (word, letter) => `How many ${letter} in ${word}?`,
        (word, letter) => `Count the letter ${letter} in ${word}.`,
      ],
      zh: [
        (word, letter) => `${word} 里有几个 ${letter}？`,
        (word, letter) => `数一数 ${word} 里的 ${letter}。`,
      ],
    },
  },
  {
    name: 'first',
    apply: (letters) => letters[0]!,
    ask: {
      en: [(word) => `First letter of ${word}?`, (word) => `What does ${word} start with?`],
      zh: [(word) => `${word} 的第一个字母是什么？`, (word) => `${word} 以什么开头？`],
    },
  },
  {
    name: 'last',
    apply: (letters) => letters.at(-1)!,
    ask: {
      en: [(word) => `Last letter of ${word}?`, (word) => `What does ${word} end with?`],
      zh: [(word) => `${word} 的最后一个字母是什么？`, (word) => `${word} 以什么结尾？`],
    },
  },
  {
    name: 'repeat',
    apply: (letters) => [...letters, ...letters],
    ask: {
      en: [(word) => `Repeat ${word} twice.`, (word) => `Write ${word} two times.`],
      zh: [(word) => `重复两次 ${word}`, (word) => `把 ${word} 写两遍。`],
    },
  },
  {
    name: 'vowels',
    apply: (letters) => letters.filter((letter) => !VOWELS.includes(letter)),
    ask: {
      en: [(word) => `Remove the vowels from ${word}`, (word) => `Write ${word} without vowels.`],
      zh: [(word) => `去掉 ${word} 的元音。`, (word) => `写出 ${word}，不要元音。`],
    },
  },
];

/** What needs no thinking. */
const AT_ONCE = OPERATIONS.filter(({ reason }) => reason === undefined);

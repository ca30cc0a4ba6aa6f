/**
 * A word problem while it is being told: what is said, what has to be computed, and what is asked,
 * in both languages at once, so that both have the same problem.
 */
import type { Random } from '../../random.ts';
import { evaluate, type Operator, workedSum } from '../sums.ts';
import type { Language, Level } from '../task.ts';
import { NAMES, type Phrase, THINGS, type Thing } from '../words.ts';

/** What sizes a level has. */
const SIZES: Record<Level, { steps: [number, number]; largest: number; factor: number }> = {
  easy: { steps: [1, 2], largest: 20, factor: 5 },
  medium: { steps: [3, 4], largest: 60, factor: 9 },
  hard: { steps: [5, 7], largest: 200, factor: 9 },
};

export class Story {
  readonly random: Random;
  readonly level: Level;
  /** How many sums the problem is to have. */
  readonly wanted: number;
  readonly #sentences: Phrase[] = [];
  readonly #steps: Phrase[] = [];
  readonly #sums: string[] = [];
  readonly #used = new Set<unknown>();
  #answer = 0;

  constructor(random: Random, level: Level) {
    this.random = random;
    this.level = level;
    this.wanted = random.int(...SIZES[level].steps);
  }

  get largest(): number {
    return SIZES[this.level].largest;
  }

  /** Sums so far. */
  get steps(): number {
    return this.#steps.length;
  }

  get answer(): number {
    return this.#answer;
  }

  /** A number of usual size, not 0 or 1. */
  number(largest = this.largest): number {
    return this.random.int(2, Math.max(2, largest));
  }

  /** A number to multiply or divide by. */
  factor(): number {
    return this.random.int(2, SIZES[this.level].factor);
  }

  /** A name that nobody in the story has yet. */
  person(): Phrase {
    const { en, zh } = NAMES;
    const number = this.unused(zh.map((_, i) => i));
    return { en: en[number]!, zh: zh[number]! };
  }

  thing(): Thing {
    return this.unused(THINGS);
  }

  /** One of `items` that has not come in the story yet. */
  unused<Item>(items: readonly Item[]): Item {
    const item = this.random.pick(items.filter((candidate) => !this.#used.has(candidate)));
    this.#used.add(item);
    return item;
  }

  /** Says one of the wordings. */
  say(...wordings: readonly Phrase[]): void {
    this.#sentences.push(this.random.pick(wordings));
  }

  /** A sum of the solution; `label` says what comes out. */
  compute(label: Phrase, left: number, operator: Operator, right: number): number {
    const sum = workedSum(left, operator, right);
    this.#steps.push({ en: `${label.en}: ${sum}`, zh: `${label.zh}：${sum}` });
    this.#sums.push(`${left}${operator}${right}`);
    return evaluate(left, operator, right);
  }

  /** The question, which comes last. */
  ask(answer: number, ...wordings: readonly Phrase[]): void {
    this.#answer = answer;
    this.say(...wordings);
  }

  tell(language: Language): { text: string; steps: string[]; sums: string } {
    return {
      text: this.#sentences
        .map((sentence) => sentence[language])
        .join(language === 'en' ? ' ' : ''),
      steps: this.#steps.map((step) => step[language]),
      sums: this.#sums.join(' '),
    };
  }
}

/** Small functions, with their description, their JavaScript, and what they give. */
import type { Random } from '../../random.ts';
import type { Level } from '../task.ts';
import type { Phrase } from '../words.ts';
import { CHANGE, KEEP, type Kind } from './parts.ts';
import type { Json } from './quickjs.ts';
import {
  changeStep,
  ITEMS,
  keepStep,
  randomChange,
  randomJoin,
  randomKeep,
  randomList,
  randomWord,
  runSteps,
  type Step,
} from './steps.ts';

export interface Program {
  /** What it is given. */
  parameter: string;
  description: Phrase;
  /** The thoughts before the code: its steps. */
  plan: Phrase[];
  /** Lines of the body. */
  body: string[];
  run(input: Json): Json;
  /** An input to test with. */
  input(random: Random): Json;
}

/** Easy: one part. Medium: two. Hard: three or four, or a loop with a condition. */
export function randomProgram(random: Random, level: Level): Program {
  if (level === 'easy') return random.pick([onValue, onValue, onList])(random, 1);
  if (level === 'medium') return random.pick([onValue, onList, onList, choice])(random, 2);
  return random.pick([onList, onList, choice, countdown])(random, 3);
}

/** One value, changed once or more. */
function onValue(random: Random, parts: number): Program {
  const kind = random.pick<Kind>(['number', 'text']);
  const changes = Array.from({ length: parts }, () => randomChange(random, kind));
  const last = changes.length - 1;
  const name = kind === 'number' ? 'x' : 'text';
  const lines = changes.map(({ code }, i) =>
    i === last ? `return ${rename(code, name)};` : `${name} = ${rename(code, name)};`,
  );
  const what: Phrase =
    kind === 'number' ? { en: 'the number x', zh: '数字x' } : { en: 'the text', zh: '文本text' };
  return {
    parameter: name,
    description: {
      en: `returns ${what.en} ${changes.map(({ words }) => words.en).join(', then ')}`,
      zh: `返回${what.zh}${changes.map(({ words }) => words.zh).join('，再')}的结果`,
    },
    plan: changes.map(({ words }) => words),
    body: lines,
    run: (input) => changes.reduce((value, { apply }) => apply(value), input),
    input: (own) => (kind === 'number' ? own.int(-20, 30) : randomWord(own)),
  };
}

/** A list: kept, changed and joined. */
function onList(random: Random, parts: number): Program {
  const kind = random.pick<Kind>(['number', 'text']);
  const keep = randomKeep(random, kind);
  const change = randomChange(random, kind);
  const join = randomJoin(random, kind);
  const order = ['keep', 'change', 'join'];
  const chosen = new Set(parts >= 3 ? order : random.shuffle(order).slice(0, parts));
  const items = ITEMS[kind];
  const steps: Step[] = [];
  let [en, zh] = [`the ${items.en}`, `所有${items.zh}`];
  if (chosen.has('keep')) {
    [en, zh] = describeKept(keep.words, items);
    steps.push(keepStep(keep, items));
  }
  if (chosen.has('change')) {
    en = `${en}, each ${change.words.en}`;
    zh = `${zh}，每个${change.words.zh}`;
    steps.push(changeStep(change));
  }
  const plan = steps.map(({ words }) => words);
  if (chosen.has('join')) {
    const isSum = join.words.en.startsWith('the ');
    en = isSum ? `${join.words.en} of ${en}` : `${en}, ${join.words.en}`;
    zh = isSum ? `${zh}的${join.words.zh}` : `${zh}，${join.words.zh}`;
    plan.push(join.words);
  }
  return {
    parameter: 'list',
    description: {
      en: `takes a list of ${items.en} and returns ${en}`,
      zh: `接受一个${items.zh}的列表，返回${zh}`,
    },
    plan,
    body: [...steps.map(({ line }) => line), `return ${chosen.has('join') ? join.code : 'list'};`],
    run: (input) => {
      const list = runSteps(steps, input as Json[]);
      return chosen.has('join') ? join.apply(list) : list;
    },
    input: (own) => randomList(own, kind, 0, 6),
  };
}

/** One thing or another, by a condition on a number. */
function choice(random: Random): Program {
  const test = random.pick(KEEP.number)(random);
  const [yes, no] = [random.pick(CHANGE.number)(random), random.pick(CHANGE.number)(random)];
  const condition = { en: `x is ${test.words.en}`, zh: `x是${test.words.zh}数` };
  return {
    parameter: 'x',
    description: {
      en: `returns x ${yes.words.en} if ${condition.en}, and else x ${no.words.en}`,
      zh: `如果${condition.zh}，返回x${yes.words.zh}的结果，否则返回x${no.words.zh}的结果`,
    },
    plan: [
      { en: `if ${condition.en}: ${yes.words.en}`, zh: `如果${condition.zh}：${yes.words.zh}` },
      { en: `else: ${no.words.en}`, zh: `否则：${no.words.zh}` },
    ],
    body: [`if (${test.code}) {`, `  return ${yes.code};`, '}', `return ${no.code};`],
    run: (input) => (test.apply(input as number) ? yes : no).apply(input as number),
    input: (own) => own.int(-20, 30),
  };
}

/** Counts from 1 to n and adds up, or collects, what passes a test. */
function countdown(random: Random): Program {
  const test = random.pick(KEEP.number.filter((_, i) => i !== 2 && i !== 3))(random);
  const change = random.pick(CHANGE.number.slice(0, 4))(random);
  const collects = random.chance(0.5);
  const add = collects ? `result.push(${change.code});` : `result += ${change.code};`;
  return {
    parameter: 'n',
    description: {
      en: `goes through the numbers x from 1 to n and, where x is ${test.words.en}, ${collects ? 'collects in a list' : 'adds up'} x ${change.words.en}`,
      zh: `遍历从1到n的数x，当x是${test.words.zh}数时，${collects ? '把' : '累加'}x${change.words.zh}的结果${collects ? '收集到列表里' : ''}`,
    },
    plan: [
      {
        en: `start with ${collects ? 'an empty list' : 'zero'}`,
        zh: collects ? '从空列表开始' : '从零开始',
      },
      {
        en: `for x from 1 to n: if ${test.words.en}, ${change.words.en}`,
        zh: `x从1到n：如果是${test.words.zh}数，${change.words.zh}`,
      },
    ],
    body: [
      `let result = ${collects ? '[]' : '0'};`,
      'for (let x = 1; x <= n; x++) {',
      `  if (${test.code}) {`,
      `    ${add}`,
      '  }',
      '}',
      'return result;',
    ],
    run: (input) => {
      const values = Array.from({ length: Math.max(0, input as number) }, (_, i) => i + 1)
        .filter((x) => test.apply(x))
        .map((x) => change.apply(x));
      return collects ? values : values.reduce((a, b) => a + b, 0);
    },
    input: (own) => own.int(0, 15),
  };
}

function describeKept(words: Phrase, items: Phrase): [en: string, zh: string] {
  const isAdjective = !words.en.includes(' ');
  return [
    isAdjective ? `the ${words.en} ${items.en}` : `the ${items.en} ${words.en}`,
    `${words.zh}${items.zh}`,
  ];
}

/** The parts speak of `x`; a text has a name of its own. */
function rename(code: string, name: string): string {
  return name === 'x' ? code : code.replace(/\bx\b/g, name);
}

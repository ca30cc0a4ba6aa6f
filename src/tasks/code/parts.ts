/**
 * What small functions are made of: which items to keep, what to make of each, and how to join them.
 * Each part has its words, its JavaScript, and what it does, so that tests need no run of the code.
 */
import type { Random } from '../../random.ts';
import type { Phrase } from '../words.ts';

/** What a value is, and so which parts can follow. */
export type Kind = 'number' | 'text';

export interface Part<From, To> {
  words: Phrase;
  /** JavaScript of the value, where `x` is an item and `list` the whole. */
  code: string;
  apply(value: From): To;
}

type Factory<From, To> = (random: Random) => Part<From, To>;

export const KEEP: { number: Factory<number, boolean>[]; text: Factory<string, boolean>[] } = {
  number: [
    () => part('even 偶', 'x % 2 === 0', (x) => x % 2 === 0),
    () => part('odd 奇', 'x % 2 !== 0', (x) => x % 2 !== 0),
    () => part('positive 正', 'x > 0', (x) => x > 0),
    () => part('negative 负', 'x < 0', (x) => x < 0),
    numbered((n) => part(`greater than ${n} 大于${n}的`, `x > ${n}`, (x) => x > n)),
    numbered((n) => part(`less than ${n} 小于${n}的`, `x < ${n}`, (x) => x < n)),
    numbered((n) => part(`at least ${n} 不小于${n}的`, `x >= ${n}`, (x) => x >= n)),
    numbered((n) => part(`divisible by ${n} 能被${n}整除的`, `x % ${n} === 0`, (x) => x % n === 0)),
  ],
  text: [
    numbered((n) =>
      part(`longer than ${n} letters 长于${n}个字母的`, `x.length > ${n}`, (x) => x.length > n),
    ),
    numbered((n) =>
      part(`shorter than ${n} letters 短于${n}个字母的`, `x.length < ${n}`, (x) => x.length < n),
    ),
    lettered((c) =>
      part(`starting with ${c} 以${c}开头的`, `x.startsWith('${c}')`, (x) => x.startsWith(c)),
    ),
    lettered((c) =>
      part(`ending with ${c} 以${c}结尾的`, `x.endsWith('${c}')`, (x) => x.endsWith(c)),
    ),
    lettered((c) => part(`containing ${c} 包含${c}的`, `x.includes('${c}')`, (x) => x.includes(c))),
  ],
};

export const CHANGE: {
  number: Factory<number, number>[];
  text: Factory<string, string>[];
  length: Factory<string, number>[];
} = {
  number: [
    numbered((n) => part(`plus ${n} 加${n}`, `x + ${n}`, (x) => x + n)),
    numbered((n) => part(`minus ${n} 减${n}`, `x - ${n}`, (x) => x - n)),
    numbered((n) => part(`times ${n} 乘${n}`, `x * ${n}`, (x) => x * n)),
    () => part('squared 平方', 'x * x', (x) => x * x),
    () => part('negated 取负', '-x', (x) => -x),
    () => part('as absolute value 取绝对值', 'Math.abs(x)', Math.abs),
    numbered((n) => part(`modulo ${n} 除以${n}的余数`, `x % ${n}`, (x) => x % n)),
  ],
  text: [
    () => part('in upper case 变成大写', 'x.toUpperCase()', (x) => x.toUpperCase()),
    () => part('in lower case 变成小写', 'x.toLowerCase()', (x) => x.toLowerCase()),
    () => part('reversed 反转', "[...x].reverse().join('')", (x) => [...x].reverse().join('')),
    () => part('without its first letter 去掉第一个字母', 'x.slice(1)', (x) => x.slice(1)),
    numbered((n) =>
      part(`cut to ${n} letters 截到${n}个字母`, `x.slice(0, ${n})`, (x) => x.slice(0, n)),
    ),
    numbered((n) => part(`repeated ${n} times 重复${n}次`, `x.repeat(${n})`, (x) => x.repeat(n))),
    lettered((c) => part(`with ${c} added 后加${c}`, `x + '${c}'`, (x) => x + c)),
  ],
  length: [
    () => part('its length 它的长度', 'x.length', (x) => x.length),
    lettered((c) =>
      part(
        `its number of ${c} 它有几个${c}`,
        `x.split('${c}').length - 1`,
        (x) => x.split(c).length - 1,
      ),
    ),
  ],
};

export const JOIN: { number: Factory<number[], number>[]; text: Factory<string[], string>[] } = {
  number: [
    () =>
      part('the sum 总和', 'list.reduce((a, b) => a + b, 0)', (v) => v.reduce((a, b) => a + b, 0)),
    () =>
      part('the product 乘积', 'list.reduce((a, b) => a * b, 1)', (v) =>
        v.reduce((a, b) => a * b, 1),
      ),
    () => part('the number 个数', 'list.length', (v) => v.length),
    () =>
      part(
        'the largest (0 if none) 最大值（没有则为0）',
        'list.sort((a, b) => b - a)[0] ?? 0',
        (v) => v.toSorted((a, b) => b - a)[0] ?? 0,
      ),
    () =>
      part(
        'the smallest (0 if none) 最小值（没有则为0）',
        'list.sort((a, b) => a - b)[0] ?? 0',
        (v) => v.toSorted((a, b) => a - b)[0] ?? 0,
      ),
  ],
  text: [
    () => part('joined with commas 用逗号连接', "list.join(',')", (v) => v.join(',')),
    () => part('joined with spaces 用空格连接', "list.join(' ')", (v) => v.join(' ')),
    () => part('joined with dashes 用横线连接', "list.join('-')", (v) => v.join('-')),
    () => part('joined together 连在一起', "list.join('')", (v) => v.join('')),
  ],
};

/** Few, so that words and conditions meet. */
export const LETTERS: readonly string[] = [...'abelnost'];

/** Words are the English and the Chinese, parted by the last space. */
function part<From, To>(words: string, code: string, apply: (value: From) => To): Part<From, To> {
  const space = words.lastIndexOf(' ');
  return { words: { en: words.slice(0, space), zh: words.slice(space + 1) }, code, apply };
}

function numbered<From, To>(make: (n: number) => Part<From, To>): Factory<From, To> {
  return (random) => make(random.int(2, 9));
}

function lettered<From, To>(make: (letter: string) => Part<From, To>): Factory<From, To> {
  return (random) => make(random.pick(LETTERS));
}

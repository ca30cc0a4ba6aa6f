import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answerOf, finalAnswer, readTurns } from './response.ts';
import {
  acceptsLastLine,
  acceptsNumber,
  acceptsOnly,
  acceptsSet,
  readNumber,
  splitList,
} from './verdict.ts';

const isCorrect = async (verdict: Promise<{ correct: boolean }>) => (await verdict).correct;

describe('a response', () => {
  test('answers with what follows the thinking, trimmed', () => {
    expect(finalAnswer(' 42\n')).toBe('42');
    expect(finalAnswer('<think>40+2\n</think>\n42')).toBe('42');
    expect(finalAnswer('<think></think>42')).toBe('42');
    expect(finalAnswer('40+2</think>42')).toBe('42');
  });

  test('that never ends thinking has no answer', () => {
    expect(finalAnswer('<think>42')).toBe('');
  });

  test('as messages answers with its last turn', () => {
    const messages = [
      { role: 'assistant', content: 'a' },
      { role: 'tool', content: 'b' },
      { role: 'assistant', content: '<think>x</think>c' },
    ];
    expect(answerOf(messages)).toBe('c');
    expect(readTurns(messages).map(({ text }) => text)).toEqual(['a', 'c']);
  });

  test('of text gives its calls, of known functions and unknown', () => {
    const tools = [{ type: 'function', function: { name: 'f' } }] as const;
    const call = (name: string) =>
      `<tool_call>\n<function=${name}>\n<parameter=a>1</parameter>\n</function>\n</tool_call>`;
    const [turn] = readTurns(`<think>x</think>${call('f')}${call('g')}`, tools);
    expect(turn!.calls.map(({ name }) => name)).toEqual(['f', 'g']);
    expect(turn!.calls[0]!.arguments).toEqual({ a: '1' });
  });
});

describe('exact answers', () => {
  test('are accepted as they are and not otherwise', async () => {
    const verify = acceptsOnly('42', 'forty-two');
    for (const response of ['42', ' 42 ', '<think>x</think>forty-two']) {
      expect(await isCorrect(verify(response))).toBe(true);
    }
    for (const response of ['42.', '042', 'It is 42', '', '4 2', '<think>42']) {
      expect(await isCorrect(verify(response))).toBe(false);
    }
  });

  test('on the last line may have work above them', async () => {
    const verify = acceptsLastLine('42');
    expect(await isCorrect(verify('40+2\n42'))).toBe(true);
    expect(await isCorrect(verify('42\n40+2'))).toBe(false);
  });

  test('say in one line what is wrong', async () => {
    const { reason } = await acceptsOnly('42')(`4\n3${'x'.repeat(500)}`);
    expect(reason).toMatch(/^expected "42", got "4\\n3x+…"$/);
    expect(reason.length).toBeLessThan(180);
  });
});

describe('numbers', () => {
  const writings: ((value: number) => string)[] = [
    (value) => String(value),
    (value) => value.toLocaleString('en'),
    (value) => `${value}.00`,
    (value) => `$${value}`,
    (value) => `${value}.`,
    (value) => `#### ${value}`,
    (value) => `Answer: ${value}`,
    (value) => `答案：${value}。`,
    (value) => `x = ${value}`,
    (value) => `work\n${value}`,
    (value) => `<think>7</think>\n${value}\n`,
  ];

  test('are accepted in every usual form, and no other number is', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(9_999_999),
        fc.nat(9_999_999),
        fc.constantFrom(...writings),
        async (wanted, given, write) => {
          const verdict = await acceptsNumber(wanted)(write(given));
          expect(verdict.correct).toBe(given === wanted);
          expect((await acceptsNumber(wanted)(write(wanted))).correct).toBe(true);
        },
      ),
    );
  });

  test.each([
    '',
    'five',
    '1 2',
    '4,2',
    '1,2345',
    '4 apples',
    'about 4',
    '4 or 5',
    '٤',
    '1e3',
    'NaN',
  ])('are not read from %j', (text) => expect(readNumber(text)).toBeUndefined());

  test('below zero have a sign, and zero has none', () => {
    expect([readNumber('-5'), readNumber('−5'), readNumber('-0')]).toEqual([-5, -5, 0]);
    expect(readNumber('-$1,234.50')).toBe(-1234.5);
  });
});

describe('lists', () => {
  test('are accepted in any order and with the commas of either script', async () => {
    const value = fc.stringMatching(/^[a-z0-9]{1,5}$/).filter((text) => text !== 'and');
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(value, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(', ', '，', '、', ',', ' and '),
        async (values, separator) => {
          const given = [...values].reverse().join(separator);
          expect((await acceptsSet(values)(given)).correct).toBe(true);
          expect((await acceptsSet(values)(`${given}, other`)).correct).toBe(false);
          expect((await acceptsSet([...values, 'other'])(given)).correct).toBe(false);
        },
      ),
    );
  });

  test('end with or without a full stop', () => {
    expect(splitList('a, b and c.')).toEqual(['a', 'b', 'c']);
    expect(splitList('甲、乙和丙。')).toEqual(['甲', '乙', '丙']);
  });
});

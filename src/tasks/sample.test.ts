import { describe, expect, test } from 'vitest';
import { Random } from '../random.ts';
import { trainBpe } from '../text/bpe-trainer.ts';
import { renderChat } from '../text/chat-template.ts';
import { Tokenizer } from '../text/tokenizer.ts';
import {
  FAMILIES,
  followUp,
  generateProblem,
  MIMOFLASH_TEMPLATE,
  mixtureOf,
  type Problem,
  sampleProblem,
  solvedChat,
  splitOf,
  tokenizerCorpus,
  toTrainingText,
} from './index.ts';

const options = { language: 'en', level: 'medium', thinking: true } as const;

/** Short problems, of which many can be drawn. */
const short = mixtureOf({ arithmetic: 5, recall: 6, strings: 4, dialogue: 1.5 });

/** The wordings of a chat's questions. */
const questionsOf = (problem: Problem) =>
  problem.messages.filter(({ role }) => role === 'user').map(({ content }) => content as string);

/**
 * What makes each problem of a chat this one: the wording of its question, and for recall that of the
 * facts, since "Who has the map?" is asked of many lists.
 */
const problemsIn = (problem: Problem) =>
  problem.family === 'recall'
    ? questionsOf(problem).filter((text) => text.length > 40)
    : questionsOf(problem).slice(-1);

describe('splits', () => {
  test('no problem that is tested is ever learnt from, in any turn', () => {
    const random = new Random('splits');
    const learnt = new Set<string>();
    for (let i = 0; i < 40_000; i++) {
      const problem = sampleProblem(random, 'train', short);
      expect(splitOf(problem.key)).toBe('train');
      for (const question of problemsIn(problem)) learnt.add(question);
    }
    let tested = 0;
    for (let i = 0; i < 5_000; i++) {
      const problem = sampleProblem(random, 'test', short);
      expect(splitOf(problem.key)).toBe('test');
      for (const question of problemsIn(problem)) {
        expect(learnt.has(question)).toBe(false);
        tested++;
      }
    }
    expect(tested).toBeGreaterThan(4_000);
  });

  test.each(FAMILIES)('$name has enough that is held out', (family) => {
    const random = new Random(family.name);
    const keys = Array.from(
      { length: 500 },
      () => generateProblem(family, random, 'test', options).key,
    );
    expect(new Set(keys).size).toBeGreaterThan(70);
  });
});

describe('samples', () => {
  test('the same seed gives the same samples', () => {
    const sample = () => JSON.stringify(sampleProblem(new Random(9), 'train'));
    expect(sample()).toBe(sample());
  });

  test('some have a turn before, some a system message, and all end with a question', () => {
    const random = new Random('turns');
    const samples = Array.from({ length: 3000 }, () => sampleProblem(random, 'train', short));
    const share = (has: (problem: Problem) => boolean) => samples.filter(has).length / 3000;
    expect(share(({ messages }) => messages.at(-1)!.role === 'user')).toBe(1);
    const own = (problem: Problem) => problem.family !== 'recall';
    const twoTurn = (problem: Problem) => own(problem) && questionsOf(problem).length > 1;
    expect(share(twoTurn) / share(own)).toBeCloseTo(0.12, 1);
    expect(share(({ messages }) => messages[0]!.role === 'system')).toBeCloseTo(0.1, 1);
    expect(share(({ thinking }) => thinking)).toBeCloseTo(0.7, 1);
  });
});

describe('training text', () => {
  const tokenizer = new Tokenizer(
    trainBpe(tokenizerCorpus('vocabulary', 5000, short), { vocabSize: 1024 }),
  );
  const [arithmetic, , strings] = FAMILIES;
  const written = ({ solution: [turn] }: Problem) =>
    `<think>${turn!.reasoning_content ?? ''}</think>${turn!.content}`;

  test('thinking on: the chat before is given, thought and answer are learnt', () => {
    const problem = generateProblem(arithmetic!, new Random(1), 'train', options);
    const [given, learnt, ...rest] = toTrainingText(problem, tokenizer);
    expect(rest).toEqual([]);
    expect(given).toEqual({
      text: `<|im_start|>system\nYou are MimoFlash.<|im_end|><|im_start|>user\n${problem.messages[0]!.content}<|im_end|><|im_start|>assistant\n`,
      trained: false,
    });
    expect(learnt).toEqual({
      text: `${written(problem)}<|im_end|>`,
      trained: true,
    });
  });

  test('thinking off: only the answer is learnt', () => {
    const quiet = { ...options, thinking: false };
    const problem = generateProblem(arithmetic!, new Random(1), 'train', quiet);
    const [given, learnt] = toTrainingText(problem, tokenizer);
    expect(given!.text.endsWith('<|im_start|>assistant\n<think></think>')).toBe(true);
    expect(learnt).toEqual({ text: `${problem.solution[0]!.content}<|im_end|>`, trained: true });
  });

  test('in two turns both answers are learnt', () => {
    const random = new Random(2);
    const first = generateProblem(strings!, random, 'train', options);
    const second = generateProblem(arithmetic!, random, 'train', options);
    const segments = toTrainingText(followUp(first, second), tokenizer);
    expect(segments.filter(({ trained }) => trained).map(({ text }) => text)).toEqual([
      `${written(first)}<|im_end|>`,
      `${written(second)}<|im_end|>`,
    ]);
  });

  test('no token spans Chinese words, so that a fact holds the very tokens of its answer', () => {
    for (const value of ['红色', '绿色', '钥匙', '杯子', '小明']) {
      const own = tokenizer.encode(value);
      const inFact = tokenizer.encode(`小芳喜欢${value}。`);
      expect(inFact.slice(-1 - own.length, -1)).toEqual(own);
    }
  });

  test('its ids are those of the rendered chat, and are few', () => {
    const random = new Random('ids');
    let total = 0;
    for (let i = 0; i < 500; i++) {
      const problem = sampleProblem(random, 'train', short);
      const ids = toTrainingText(problem, tokenizer).flatMap(({ text }) => tokenizer.encode(text));
      const text = renderChat(MIMOFLASH_TEMPLATE, solvedChat(problem), {
        enableThinking: problem.thinking,
      });
      expect(ids).toEqual(tokenizer.encode(text));
      total += ids.length;
    }
    expect(total / 500).toBeLessThan(60);
  });

  test('of a problem with tools, every call is learnt and no output is', () => {
    const random = new Random('tools');
    const mixture = mixtureOf({ shell: 1, functions: 1 });
    for (let i = 0; i < 50; i++) {
      const problem = sampleProblem(random, 'train', mixture);
      const segments = toTrainingText(problem, tokenizer);
      const learnt = segments.filter(({ trained }) => trained).map(({ text }) => text);
      expect(learnt).toHaveLength(
        problem.solution.filter(({ role }) => role === 'assistant').length,
      );
      for (const { role, tool_calls: calls } of problem.solution) {
        if (role === 'assistant' && calls)
          expect(learnt.join('')).toContain(calls[0]!.function.name);
      }
      expect(learnt.join('')).not.toContain('<tool_response>');
      expect(segments[0]!.text).toContain('# Tools');
    }
  });
});

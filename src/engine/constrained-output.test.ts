import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { tinyConfig } from '../../test/tiny-config.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { compileExpression } from '../grammar/automaton.ts';
import { Matcher } from '../grammar/matcher.ts';
import { regex } from '../grammar/regex.ts';
import { Vocabulary } from '../grammar/vocabulary.ts';
import { initializeModel } from '../model/initialize.ts';
import { type Model, releaseModel } from '../model/weights.ts';
import { Engine } from './engine.ts';
import type { GenerationOptions } from './generation.ts';
import { Sequence } from './sequence.ts';

/** One letter each, but for the end, which is special, and two of several. */
const pieces = ['\0', '\x01', '', ...'abcdefghijklmnopqr', 'ab', 'cde', '.'];
const end = 2;
const utf8 = new TextEncoder();
const vocabulary = new Vocabulary({
  vocabSize: pieces.length,
  bytesOf: (id) => utf8.encode(pieces[id]!),
  isSpecial: (id) => id === end,
});
const grammarOf = (pattern: string) =>
  new Matcher(compileExpression(regex(pattern)), vocabulary).start;

const device = createReferenceDevice();
let model: Model;
let engine: Engine;

beforeAll(async () => {
  model = await initializeModel(device, tinyConfig({ initializerRange: 0.5 }), 1);
  engine = new Engine(model);
});

afterAll(async () => {
  await engine.release();
  releaseModel(model);
  expect(device.allocatedBytes).toBe(0);
});

const patterns = ['(abc|[d-f]+x?)*\\.', '[a-c]{3,20}', '(ab){2}c(de|f)', 'q', '[a-r]*'];

async function answer(generator: Engine | Sequence, options: GenerationOptions) {
  const tokens: number[] = [];
  let finish: string | null = null;
  let most = 0;
  const asked = { maxTokens: 80, ...options };
  for await (const step of generator.generate([3, 9, 4], asked)) {
    tokens.push(...step.tokens);
    most = Math.max(most, step.tokens.length);
    finish = step.finish;
  }
  return { tokens, finish, most };
}

const textOf = (tokens: readonly number[]) => tokens.map((token) => pieces[token]).join('');

const requests = patterns.flatMap((pattern) =>
  [0, 1, 2].map((seed) => ({
    pattern,
    options: {
      grammar: grammarOf(pattern),
      sampling: { temperature: seed === 0 ? 0 : 1.5 },
      seed,
    } as GenerationOptions,
  })),
);

describe('answers that keep to a grammar', () => {
  test('are such, end at its end, and are the same alone and in a batch with others', async () => {
    const free = answer(engine, { sampling: { temperature: 1 }, stopTokens: [] });
    const answers = await Promise.all(requests.map(({ options }) => answer(engine, options)));
    expect((await free).tokens).toHaveLength(80);
    let accepted = 0;
    for (const [i, { tokens, finish, most }] of answers.entries()) {
      const { pattern, options } = requests[i]!;
      if (finish === 'stop') {
        expect(tokens.at(-1)).toBe(end);
        expect(textOf(tokens)).toMatch(new RegExp(`^(?:${pattern})$`));
      }
      accepted += most > 1 ? 1 : 0;
      const sequence = new Sequence(model);
      expect((await answer(sequence, options)).tokens).toEqual(tokens);
      sequence.release();
    }
    expect(answers.filter(({ finish }) => finish === 'stop').length).toBeGreaterThan(8);
    // Drafts that a grammar allows are kept.
    expect(accepted).toBeGreaterThan(0);
  });

  test('are the same with drafts and without, where nothing is left to chance', async () => {
    for (const { options } of requests.filter(({ options }) => options.seed === 0)) {
      const { tokens } = await answer(engine, options);
      expect((await answer(engine, { ...options, drafts: 0 })).tokens).toEqual(tokens);
    }
  });

  test('end with the grammar where no token ends them', async () => {
    for (const pattern of ['q', 'qq', 'qqq', '(ab){2}c(de|f)', 'a{5}']) {
      const grammar = grammarOf(pattern);
      const { tokens, finish } = await answer(engine, { grammar, stopTokens: [] });
      expect(finish).toBe('stop');
      expect(textOf(tokens)).toMatch(new RegExp(`^${pattern}$`));
    }
  });

  test('go on where an earlier part ended', async () => {
    const grammar = grammarOf('[a-c]{4}\\.');
    const tokens: number[] = [];
    const prompt = [3, 9, pieces.indexOf('b'), pieces.indexOf('ab')];
    for await (const step of engine.generate(prompt, { grammar, answerFrom: 2 })) {
      tokens.push(...step.tokens);
    }
    expect(textOf(tokens)).toMatch(/^[abc]\.$/);
  });
});

test('a step reads twice where a grammar has to know the drafts, and else once', async () => {
  const read = vi.spyOn(device, 'read');
  const verify = vi.spyOn(device.kernels, 'verifyDrafts');
  const grammar = grammarOf('[a-r]*');
  for (const [options, reads] of [
    [{ grammar, drafts: 3 }, 2],
    [{ grammar, drafts: 0 }, 1],
    [{ drafts: 3 }, 1],
  ] as [GenerationOptions, number][]) {
    read.mockClear();
    verify.mockClear();
    await answer(engine, { ...options, stopTokens: [] });
    expect(verify).toHaveBeenCalled();
    expect(read).toHaveBeenCalledTimes(reads * verify.mock.calls.length);
  }
  vi.restoreAllMocks();
});

import { describe, expect, test } from 'vitest';
import { byteText } from '../../test/train/byte-text.ts';
import { mixtureOf } from '../tasks/index.ts';
import { MIMO_ADDED_TOKENS, tokenizerJson } from '../text/tokenizer-json.ts';
import { dataSchema } from './data-config.ts';
import { encodeDocument } from './documents.ts';
import { openSources } from './open-sources.ts';
import { permutation } from './permutation.ts';
import { type SampleSource, SampleStream } from './sample-stream.ts';
import { taskSource } from './task-source.ts';
import { TaskWorkers } from './task-workers.ts';

const text = byteText();
const mixture = mixtureOf({ arithmetic: 2, functions: 1 });
const options = { seed: 3, split: 'train', learn: 'answers', mixture } as const;

describe('encoding', () => {
  test('text spells control tokens and ends with the end-of-text token', () => {
    const { tokens } = encodeDocument(text, { kind: 'text', text: 'a<|im_end|>' });
    expect(tokens.length).toBe(1 + '<|im_end|>'.length + 1);
    expect(text.tokenizer.decode([tokens.at(-1)!])).toBe('<|endoftext|>');
  });

  test('of a chat, the answer and the end of its turn are learnt', () => {
    const messages = [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: 'yo' },
    ];
    const document = { kind: 'chat', messages, thinking: false } as const;
    const answers = encodeDocument(text, { ...document, learn: 'answers' });
    const learnt = answers.tokens.filter((_, i) => answers.weights[i] === 1);
    expect(text.tokenizer.decode(learnt)).toBe('yo<|im_end|>');
    const all = encodeDocument(text, { ...document, learn: 'all' });
    expect(all.tokens).toEqual(answers.tokens);
    expect(all.weights.every((weight) => weight === 1)).toBe(true);
  });
});

describe('the stream', () => {
  const sources = [
    { source: taskSource(options, text), weight: 3 },
    { source: taskSource({ ...options, mixture: mixtureOf({ strings: 1 }) }, text), weight: 1 },
  ];

  test('mixes sources by weight and repeats itself', async () => {
    const stream = new SampleStream(sources, 9);
    const taken = [];
    for (let i = 0; i < 400; i++) taken.push(await stream.next());
    const second = taken.filter(({ reference }) => reference.source === 1).length;
    expect(second).toBeGreaterThan(60);
    expect(second).toBeLessThan(140);
    expect(await stream.load(taken[0]!.reference)).toEqual(taken[0]!.sample);
  });

  test('goes on from where it was saved, however far it looked ahead', async () => {
    const stream = new SampleStream(sources, 9, [], 7);
    for (let i = 0; i < 20; i++) await stream.next();
    const resumed = new SampleStream(sources, 9, stream.save(), 3);
    for (let i = 0; i < 5; i++) expect(await resumed.next()).toEqual(await stream.next());
  });

  test('a sample that fails is told to whoever takes it, and not before', async () => {
    const source: SampleSource = {
      where: String,
      sample: async (index) => {
        if (index === 2) throw new Error('gone');
        return encodeDocument(text, { kind: 'text', text: 'abc' });
      },
      close: async () => {},
    };
    const stream = new SampleStream([{ source, weight: 1 }], 1, [], 5);
    await stream.next();
    await stream.next();
    await expect(stream.next()).rejects.toThrow('gone');
  });

  test('entries of a mixture that say the same give other problems', async () => {
    const data = dataSchema.array().parse([{ tasks: 'train' }, { tasks: 'train' }]);
    const opening = { seed: 1, cacheDirectory: 'unused', threads: 0 };
    const [one, other] = await openSources(data, { text, files: {} }, opening);
    expect(await one!.source.sample(0)).not.toEqual(await other!.source.sample(0));
  });

  test('held-out problems are other ones', async () => {
    const heldOut = await taskSource({ ...options, split: 'test' }, text).sample(0);
    expect(heldOut).not.toEqual(await taskSource(options, text).sample(0));
  });
});

test('threads make the samples that this thread makes', async () => {
  const files = {
    'tokenizer.json': JSON.stringify(tokenizerJson([], MIMO_ADDED_TOKENS)),
    'chat_template.jinja': text.chatTemplate.source,
  };
  const workers = new TaskWorkers([{ ...options, seed: 4 }, options], files, 2);
  const source = workers.source(1);
  const made = await Promise.all([0, 1, 2, 3, 2].map((index) => source.sample(index)));
  const own = taskSource(options, text);
  for (const [i, index] of [0, 1, 2, 3, 2].entries()) {
    expect(made[i]).toEqual(await own.sample(index));
  }
  await source.close();
  await expect(source.sample(9)).rejects.toThrow('closed');
});

test('an order holds every number once, and another seed gives another', () => {
  for (const count of [1, 2, 3, 10, 255, 1000]) {
    const order = permutation(count, 'a');
    const numbers = Array.from({ length: count }, (_, place) => order(place));
    expect([...numbers].sort((a, b) => a - b)).toEqual([...Array(count).keys()]);
    if (count < 10) continue;
    const other = permutation(count, 'b');
    expect(numbers).not.toEqual(numbers.map((_, place) => other(place)));
    expect(numbers).not.toEqual([...Array(count).keys()]);
  }
});

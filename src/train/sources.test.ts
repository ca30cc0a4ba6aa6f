import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { byteText } from '../../test/train/byte-text.ts';
import { type DocumentSource, encodeDocument } from './documents.ts';
import { jsonlSource, textSource } from './file-sources.ts';
import { SampleStream } from './sample-stream.ts';
import { taskSource } from './task-source.ts';

const text = byteText();
let folder: string;
beforeAll(async () => {
  folder = await fs.mkdtemp(join(os.tmpdir(), 'sources-'));
});
afterAll(() => fs.rm(folder, { recursive: true }));

async function file(name: string, contents: string): Promise<string> {
  await fs.writeFile(join(folder, name), contents);
  return join(folder, name);
}
const chat =
  '{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}';

describe('JSONL', () => {
  test('gives texts and chats, each once an epoch', async () => {
    const path = await file('a.jsonl', `{"text": "one"}\n\n${chat}\n{"text": "three"}\n`);
    const source = await jsonlSource({ path, seed: 1, learn: 'answers' }, text.chatTemplate);
    for (const epoch of [0, 1]) {
      const places = [0, 1, 2].map((i) => source.where(3 * epoch + i));
      expect(places.sort()).toEqual([`${path}:1`, `${path}:3`, `${path}:4`]);
    }
    const corpus: string[] = [];
    for await (const document of source.corpus(10)) corpus.push(document);
    expect(corpus).toHaveLength(3);
  });

  test.each([
    ['{"text": "cut', ':2: is not JSON; correct or remove the line'],
    ['{"txt": "a"}', ':2: Unrecognized key: "txt"'],
    ['{"text": "a", "messages": []}', ':2: messages must not be empty'],
    ['{"text": ""}', ':2: text must not be empty'],
    ['{}', ':2: give either "text" or "messages"'],
    ['{"messages": [{"content": "a"}]}', ':2: messages.0.role is missing'],
  ])('says which line is broken: %s', async (line, message) => {
    const path = await file('broken.jsonl', `{"text": "one"}\n${line}\n`);
    const source = jsonlSource({ path, seed: 1, learn: 'all' }, text.chatTemplate);
    await expect(source).rejects.toThrow(path + message);
  });

  test('says which file is missing or empty', async () => {
    const source = (path: string) =>
      jsonlSource({ path, seed: 1, learn: 'all' }, text.chatTemplate);
    await expect(source(join(folder, 'no.jsonl'))).rejects.toThrow(/no\.jsonl: no such file/);
    await expect(source(await file('empty.jsonl', '\n'))).rejects.toThrow(/holds no documents/);
  });
});

test('a text file is cut at <|endoftext|>', async () => {
  const path = await file('a.txt', 'one\n<|endoftext|>\ntwo\nlines\n<|endoftext|>');
  const source = await textSource({ path, seed: 1 }, text.chatTemplate);
  const documents = [await source.document(0), await source.document(1)];
  const texts = documents.map((document) => document.kind === 'text' && document.text);
  expect(texts.sort()).toEqual(['one', 'two\nlines']);
});

describe('encoding', () => {
  test('text spells control tokens and ends with the end-of-text token', () => {
    const { tokens } = encodeDocument(text, { kind: 'text', text: 'a<|im_end|>' }, '');
    expect(tokens.length).toBe(1 + '<|im_end|>'.length + 1);
    expect(text.tokenizer.decode([tokens.at(-1)!])).toBe('<|endoftext|>');
  });

  test('of a chat, the answer and the end of its turn are learnt', () => {
    const messages = [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: 'yo' },
    ];
    const document = { kind: 'chat', messages, thinking: false } as const;
    const answers = encodeDocument(text, { ...document, learn: 'answers' }, '');
    const learnt = answers.tokens.filter((_, i) => answers.weights[i] === 1);
    expect(text.tokenizer.decode(learnt)).toBe('yo<|im_end|>');
    const all = encodeDocument(text, { ...document, learn: 'all' }, '');
    expect(all.tokens).toEqual(answers.tokens);
    expect(all.weights.every((weight) => weight === 1)).toBe(true);
  });

  test('a chat that cannot be rendered names its place', () => {
    const messages = [{ role: 'user', content: [{ type: 'image_url' }] }];
    const document = { kind: 'chat', messages, thinking: false, learn: 'all' } as const;
    expect(() => encodeDocument(text, document, 'x.jsonl:7')).toThrow(/^x\.jsonl:7: .*image_url/);
  });
});

describe('the stream', () => {
  const options = { seed: 3, split: 'train', learn: 'answers' } as const;
  const sources = [
    { source: taskSource(options), weight: 3 },
    { source: taskSource({ ...options, families: { arithmetic: 1 } }), weight: 1 },
  ];

  test('mixes sources by weight and repeats itself', async () => {
    const stream = new SampleStream(sources, text, 9);
    const references = Array.from({ length: 400 }, () => stream.next());
    const second = references.filter(({ source }) => source === 1).length;
    expect(second).toBeGreaterThan(60);
    expect(second).toBeLessThan(140);
    const [first] = references;
    expect(await stream.load(first!)).toEqual(await stream.load(first!));
    const resumed = new SampleStream(sources, text, 9, stream.save());
    expect([1, 2, 3].map(() => resumed.next())).toEqual([1, 2, 3].map(() => stream.next()));
  });

  test('refuses a sample that teaches nothing', async () => {
    const empty: DocumentSource = {
      where: (index) => `document ${index}`,
      document: async () => ({ kind: 'text', text: '' }),
      async *corpus() {},
    };
    const stream = new SampleStream([{ source: empty, weight: 1 }], text, 1);
    await expect(stream.load(stream.next())).rejects.toThrow('document 0: has nothing to learn');
  });

  test('held-out problems are other ones', async () => {
    const test = await taskSource({ ...options, split: 'test' }).document(0);
    expect(test).not.toEqual(await taskSource(options).document(0));
  });
});

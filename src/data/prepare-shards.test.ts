import fs from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { byteText } from '../../test/train/byte-text.ts';
import { type FileData, prepareShards, type ShardText, sampleTexts } from './prepare-shards.ts';
import { openShards } from './shard-source.ts';

const text: ShardText = { ...byteText(), fingerprint: 'bytes' };
let folder: string;
let cache: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(join(os.tmpdir(), 'shards-'));
  cache = join(folder, 'cache');
});
afterEach(() => fs.rm(folder, { recursive: true }));

async function file(name: string, contents: string | Uint8Array): Promise<string> {
  await fs.writeFile(join(folder, name), contents);
  return join(folder, name);
}

const jsonl = (location: string, more: Partial<FileData> = {}): FileData => ({
  format: 'jsonl',
  location,
  learn: 'answers',
  maxMalformed: 0,
  ...more,
});

/** What the shards of a file hold, as text. */
async function contents(data: FileData, seed = 1): Promise<string[]> {
  const shards = await prepareShards(data, text, cache);
  const source = await openShards(shards, seed);
  const texts: string[] = [];
  for (let i = 0; i < shards.index.documents; i++) {
    texts.push(text.tokenizer.decode((await source.sample(i)).tokens));
  }
  await source.close();
  return texts;
}

const chat =
  '{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}';

describe('rows', () => {
  test('of JSONL are texts and chats, each once an epoch', async () => {
    const path = await file('a.jsonl', `{"text": "one"}\n\n${chat}\n{"text": "three", "id": 3}\n`);
    const texts = (await contents(jsonl(path))).sort();
    expect(texts).toHaveLength(3);
    expect(texts.slice(1)).toEqual(['one<|endoftext|>', 'three<|endoftext|>']);
    expect(texts[0]).toContain('<|im_start|>user\nhi<|im_end|>');
    expect(await contents(jsonl(path), 2)).not.toEqual(texts);
  });

  test('packed with gzip are the same', async () => {
    const path = await file('a.jsonl.gz', gzipSync(`{"text": "one"}\n{"text": "two"}\n`));
    expect((await contents(jsonl(path))).sort()).toEqual(['one<|endoftext|>', 'two<|endoftext|>']);
  });

  test('of plain text are parted by <|endoftext|>', async () => {
    const path = await file('a.txt', 'one\n<|endoftext|>\ntwo\nlines\n<|endoftext|>');
    const texts = await contents(jsonl(path, { format: 'text' }));
    expect(texts.sort()).toEqual(['one<|endoftext|>', 'two\nlines<|endoftext|>']);
  });

  test('of plain text are parted wherever the file is cut into chunks', async () => {
    // The file is read in chunks of 64 KiB; separators and letters of several bytes lie across them.
    const pieces = Array.from({ length: 60 }, (_, i) => `${i}字`.repeat(400 + 37 * i));
    const path = await file('long.txt', pieces.join('<|endoftext|>'));
    const texts = await contents(jsonl(path, { format: 'text' }));
    expect(texts.sort()).toEqual(pieces.map((piece) => `${piece}<|endoftext|>`).sort());
  });

  test('of Parquet are read by their columns, more than fit into memory at once', async () => {
    const numbers = Array.from({ length: 2500 }, (_, i) => `question ${i}`);
    const columnData = [
      { name: 'question', data: numbers },
      { name: 'answer', data: numbers.map((_, i) => i) },
    ];
    const path = await file('a.parquet', new Uint8Array(parquetWriteBuffer({ columnData })));
    const fields = { user: '{question}?', assistant: '#### {answer}' };
    const texts = await contents(jsonl(path, { format: 'parquet', fields }));
    expect(texts).toHaveLength(2500);
    expect(texts.some((one) => /question 2345\?<.*#### 2345<\|im_end\|>$/s.test(one))).toBe(true);
  });

  test('that say the same but for case and space are kept once', async () => {
    const path = await file(
      'a.jsonl',
      '{"text": "One  two"}\n{"text": "one two"}\n{"text": "b"}\n',
    );
    const { index } = await prepareShards(jsonl(path), text, cache);
    expect(index).toMatchObject({ rows: 3, duplicates: 1, documents: 2, malformed: 0 });
  });

  test.each([
    ['{"text": "cut', ':2: is not JSON; correct or remove the line'],
    ['7', ':2: is not a JSON object'],
    ['{"text": ""}', ':2: text must not be empty'],
    ['{}', ':2: give either "text" or "messages"'],
    ['{"messages": [{"content": "a"}]}', ':2: messages.0.role is missing'],
    ['{"messages": [{"role": "user", "content": "a"}]}', ':2: has no assistant’s message'],
    [
      '{"messages": [{"role": "assistant", "content": [{"type": "image_url"}]}]}',
      ':2: messages[0].content[0]: type is "image_url"',
    ],
  ])('that are malformed are named: %s', async (line, message) => {
    const path = await file('broken.jsonl', `{"text": "one"}\n${line}\n`);
    await expect(prepareShards(jsonl(path), text, cache)).rejects.toThrow(
      `1 of 2 rows are malformed, more than maxMalformed (0) allows; the first is ${path}${message}`,
    );
  });

  test('that are malformed, below the share, are counted and logged, and the rest goes on', async () => {
    const lines = Array.from({ length: 99 }, (_, i) => `{"text": "row ${i}"}`);
    const path = await file('some.jsonl', [...lines, '{"text": 5}'].join('\n'));
    const { index } = await prepareShards(jsonl(path, { maxMalformed: 0.01 }), text, cache);
    expect(index).toMatchObject({ rows: 100, malformed: 1, documents: 99 });
    const logged = JSON.parse(await fs.readFile(index.log!, 'utf8'));
    expect(logged).toEqual({
      place: `${path}:100`,
      problem: 'text must be a string',
      row: '{"text":5}',
    });
  });

  test('without a column that is asked for are malformed', async () => {
    const path = await file('a.jsonl', '{"question": "a"}\n');
    const data = jsonl(path, { fields: { text: '{question} {answer}' } });
    await expect(prepareShards(data, text, cache)).rejects.toThrow(
      ':1: has no text or number in column "answer"',
    );
  });

  test('are drawn from all over the file for a vocabulary', async () => {
    const lines = Array.from({ length: 1000 }, (_, i) => `{"text": "${i}"}`);
    const path = await file('a.jsonl', lines.join('\n'));
    const texts = await sampleTexts(jsonl(path), text.chatTemplate, 10, cache);
    expect(texts.length).toBeGreaterThanOrEqual(10);
    expect(texts.length).toBeLessThan(21);
    expect(Number(texts.at(-1))).toBeGreaterThan(900);
  });
});

describe('files', () => {
  const prepare = (path: string, more?: Partial<FileData>) =>
    prepareShards(jsonl(path, more), text, cache);

  test('that are missing, empty or cut short are named', async () => {
    await expect(prepare(join(folder, 'no.jsonl'))).rejects.toThrow(/no\.jsonl: no such file/);
    await expect(prepare(await file('empty.jsonl', '\n'))).rejects.toThrow(/holds no documents/);
    const packed = gzipSync('{"text": "one"}\n'.repeat(100));
    const cut = await file('cut.jsonl.gz', packed.subarray(0, packed.length - 12));
    await expect(prepare(cut)).rejects.toThrow(/cut\.jsonl\.gz: is cut short or damaged/);
    const parquet = await file('cut.parquet', 'PAR1 but no more');
    await expect(prepare(parquet, { format: 'parquet' })).rejects.toThrow(
      /cut\.parquet: is not a whole Parquet file/,
    );
  });

  test('are made into shards once, and anew when they change', async () => {
    const path = await file('a.jsonl', '{"text": "one"}\n');
    const first = await prepare(path);
    const shard = join(first.directory, 'shard-00000.safetensors');
    const before = (await fs.stat(shard)).mtimeMs;
    expect(await prepare(path)).toEqual(first);
    expect((await fs.stat(shard)).mtimeMs).toBe(before);
    await file('a.jsonl', '{"text": "other"}\n');
    const second = await prepare(path);
    expect(second.directory).not.toBe(first.directory);
    expect(second.index.contentHash).not.toBe(first.index.contentHash);
  });

  test('of which a shard is cut short or lost are named with what to do', async () => {
    const shards = await prepare(await file('a.jsonl', '{"text": "one"}\n{"text": "two"}\n'));
    const shard = join(shards.directory, 'shard-00000.safetensors');
    await fs.truncate(shard, (await fs.stat(shard)).size - 5);
    await expect(openShards(shards, 1)).rejects.toThrow(
      /shard-00000\.safetensors: .*; delete .* to have it made anew$/,
    );
    await fs.rm(shard);
    await expect(openShards(shards, 1)).rejects.toThrow(/no such file.*to have it made anew$/);
  });
});

describe('files by URL', () => {
  let server: Server;
  let asked: string[];
  beforeEach(async () => {
    asked = [];
    server = createServer((request, response) => {
      asked.push(request.url!);
      if (request.url === '/a.jsonl') response.end('{"text": "far"}\n');
      else if (request.url === '/cut.jsonl') {
        response.writeHead(200, { 'content-length': 1000 });
        response.write('{"text": "far"}\n');
        setTimeout(() => response.destroy(), 20);
      } else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));
  const url = (path: string) =>
    `http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`;

  test('are downloaded once', async () => {
    expect(await contents(jsonl(url('a.jsonl')))).toEqual(['far<|endoftext|>']);
    expect(await contents(jsonl(url('a.jsonl')))).toEqual(['far<|endoftext|>']);
    expect(asked).toEqual(['/a.jsonl']);
  });

  test('that are not there, break off or cannot be reached are named, and nothing is left', async () => {
    const prepare = (path: string) => prepareShards(jsonl(path), text, cache);
    await expect(prepare(url('no.jsonl'))).rejects.toThrow(/no\.jsonl: the server answers 404/);
    await expect(prepare(url('cut.jsonl'))).rejects.toThrow(/cut\.jsonl: the download broke off/);
    await expect(prepare('http://127.0.0.1:1/x.jsonl')).rejects.toThrow(/cannot be reached/);
    expect(await fs.readdir(join(cache, 'downloads'))).toEqual([]);
  });
});

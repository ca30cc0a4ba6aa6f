/**
 * Turns a file of anyone's text into shards, once: rows are read, made into documents, those seen
 * before dropped, encoded, and packed. What is made lies in the cache under a name that stands for
 * all that decides it, so another file, tokenizer or way to read the rows gives other shards.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { atomicWriteFile } from '../checkpoint/atomic.ts';
import { asUserError, errorCode } from '../checkpoint/file-errors.ts';
import { UserError } from '../errors.ts';
import type { ChatTemplate } from '../text/chat-template.ts';
import type { TextFiles } from '../text/text-files.ts';
import { documentText, encodeDocument, type Sample, type TrainingDocument } from './documents.ts';
import { download, isUrl } from './download.ts';
import { MalformedRows } from './malformed-rows.ts';
import { documentOf, type Fields } from './row-document.ts';
import { type Row, type RowFormat, readRows } from './rows.ts';
import { ShardBuilder } from './shards.ts';

/** A file of rows and how to read them. */
export interface FileData {
  format: RowFormat;
  /** A path or a URL. */
  location: string;
  fields?: Fields | undefined;
  learn: 'all' | 'answers';
  /** Share of the rows that may be malformed. */
  maxMalformed: number;
}

/** A tokenizer and chat template with a name that stands for their contents. */
export interface ShardText extends TextFiles {
  fingerprint: string;
}

const natural = z.int().min(0);
const indexSchema = z.object({
  location: z.string(),
  /** Of all tokens: two sets of shards with the same hold the same samples. */
  contentHash: z.string(),
  rows: natural,
  malformed: natural,
  duplicates: natural,
  documents: natural,
  tokens: natural,
  /** A file with some of the malformed rows. */
  log: z.string().optional(),
  shards: z.array(z.object({ file: z.string(), documents: natural })),
});

export type ShardIndex = z.infer<typeof indexSchema>;

export interface ShardSet {
  directory: string;
  index: ShardIndex;
}

/** To be raised when the same file would give other shards. */
const VERSION = 1;
const INDEX_FILE = 'index.json';

/**
 * @throws UserError when the file is missing, holds no documents, or has more malformed rows than it
 *   may; rows are then named, and some are in a log
 */
export async function prepareShards(
  data: FileData,
  text: ShardText,
  cacheDirectory: string,
): Promise<ShardSet> {
  const path = await localPath(data, cacheDirectory);
  const directory = join(cacheDirectory, 'shards', await keyOf(data, path, text));
  const index = (await readIndex(directory)) ?? (await build(data, path, text, directory));
  return { directory, index };
}

/** About `count` documents, evenly from the whole file, as plain text to learn a vocabulary from. */
export async function sampleTexts(
  data: FileData,
  template: ChatTemplate,
  count: number,
  cacheDirectory: string,
): Promise<string[]> {
  const path = await localPath(data, cacheDirectory);
  // Every document whose number is a multiple of a stride, which doubles when there are too many.
  let [kept, stride, number]: [TrainingDocument[], number, number] = [[], 1, 0];
  for await (const row of readRows(data.format, path, data.location)) {
    if ('problem' in row) continue;
    const made = documentOf(row.columns, data.fields, data.learn);
    if ('problem' in made || number++ % stride !== 0) continue;
    kept.push(made.document);
    if (kept.length < 2 * count) continue;
    kept = kept.filter((_, i) => i % 2 === 0);
    stride *= 2;
  }
  return kept.map((document) => documentText(template, document));
}

function localPath({ location }: FileData, cacheDirectory: string): Promise<string> {
  return isUrl(location) ? download(location, cacheDirectory) : Promise.resolve(location);
}

async function keyOf(data: FileData, path: string, { fingerprint }: ShardText) {
  const { size, mtimeMs } = await fs.stat(path).catch((error) => {
    throw asUserError(error, `cannot read ${data.location}`);
  });
  const { format, location, fields, learn } = data;
  const decisive = [VERSION, format, location, size, mtimeMs, fields ?? null, learn];
  return createHash('sha256')
    .update(JSON.stringify([...decisive, fingerprint]))
    .digest('hex')
    .slice(0, 32);
}

async function readIndex(directory: string): Promise<ShardIndex | undefined> {
  const path = join(directory, INDEX_FILE);
  const text = await fs.readFile(path, 'utf8').catch((error) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw asUserError(error, `cannot read ${path}`);
  });
  if (text === undefined) return undefined;
  try {
    return indexSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new UserError(`${path}: is damaged; delete ${directory} to have it made anew`, {
      cause: error,
    });
  }
}

async function build(
  data: FileData,
  path: string,
  text: TextFiles,
  directory: string,
): Promise<ShardIndex> {
  await fs.mkdir(directory, { recursive: true }).catch((error) => {
    throw asUserError(error, `cannot make ${directory}`);
  });
  const hash = createHash('sha256');
  const seen = new Set<number>();
  const malformed = new MalformedRows(
    data.location,
    data.maxMalformed,
    join(directory, 'malformed.jsonl'),
  );
  const shards: ShardIndex['shards'] = [];
  let [shard, rows, duplicates, documents, tokens] = [new ShardBuilder(), 0, 0, 0, 0];
  const finishShard = async () => {
    const file = `shard-${String(shards.length).padStart(5, '0')}.safetensors`;
    await shard.write(join(directory, file), text.tokenizer.vocabSize);
    shards.push({ file, documents: shard.documents });
    documents += shard.documents;
    tokens += shard.tokenCount;
    shard = new ShardBuilder();
  };
  for await (const row of readRows(data.format, path, data.location)) {
    rows++;
    const made = makeSample(row, data, text);
    if ('problem' in made) {
      malformed.add(row, made.problem);
      continue;
    }
    const identity = identityOf(made.document);
    if (seen.has(identity)) {
      duplicates++;
      continue;
    }
    seen.add(identity);
    hash.update(made.sample.tokens).update(made.sample.weights);
    shard.add(made.sample);
    if (shard.isFull) await finishShard();
  }
  const log = await malformed.finish(rows);
  if (shard.documents > 0) await finishShard();
  if (documents === 0) {
    throw new UserError(`${data.location}: holds no documents; add some or leave it out`);
  }
  const index: ShardIndex = {
    location: data.location,
    contentHash: hash.digest('hex'),
    rows,
    malformed: malformed.count,
    duplicates,
    documents,
    tokens,
    ...(log !== undefined && { log }),
    shards,
  };
  // Last: shards without an index are unfinished, and are made again.
  await atomicWriteFile(join(directory, INDEX_FILE), `${JSON.stringify(index, null, 2)}\n`);
  return index;
}

function makeSample(
  row: Row,
  { fields, learn }: FileData,
  text: TextFiles,
): { document: TrainingDocument; sample: Sample } | { problem: string } {
  if ('problem' in row) return row;
  const made = documentOf(row.columns, fields, learn);
  if ('problem' in made) return made;
  try {
    const sample = encodeDocument(text, made.document);
    const teaches = sample.weights.some((weight, i) => i > 0 && weight !== 0);
    return teaches
      ? { document: made.document, sample }
      : { problem: 'has nothing to learn; give it an assistant’s message or more text' };
  } catch (error) {
    if (error instanceof UserError) return { problem: error.message };
    throw error;
  }
}

/**
 * 53 bits of a hash of what the document says; case and white space do not make another. Of ten
 * million documents, one is taken for another with a probability of one in two hundred.
 */
function identityOf(document: TrainingDocument): number {
  const said = document.kind === 'text' ? document.text : JSON.stringify(document.messages);
  const digest = createHash('sha256').update(said.toLowerCase().replaceAll(/\s+/g, ' ')).digest();
  return digest.readUIntBE(0, 6) * 32 + (digest[6]! >> 3);
}

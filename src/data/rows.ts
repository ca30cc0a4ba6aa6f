/**
 * Reads rows from JSONL, plain text and Parquet, one after another, so that a file may be larger than
 * memory. A row that cannot be read comes as a problem and the rest goes on; a file that cannot be read
 * is an error.
 */
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import type { AsyncBuffer } from 'hyparquet';
import type { ByteSource } from '../checkpoint/byte-source.ts';
import { asUserError } from '../checkpoint/file-errors.ts';
import { openFileSource } from '../checkpoint/file-source.ts';
import { UserError } from '../errors.ts';
import { PADDING } from '../text/tokenizer-json.ts';

export type RowFormat = 'jsonl' | 'text' | 'parquet';

export type Row = {
  /** File and line, or document or row number. */
  place: string;
} & ({ columns: Record<string, unknown> } | { problem: string; text: string });

/**
 * @param path of the file; one that ends in `.gz` is unpacked
 * @param name what to call it in messages
 * @throws UserError when it is missing, cut short, or not of its format
 */
export function readRows(format: RowFormat, path: string, name: string): AsyncGenerator<Row> {
  switch (format) {
    case 'jsonl':
      return jsonlRows(path, name);
    case 'text':
      return textRows(path, name);
    case 'parquet':
      return parquetRows(path, name);
  }
}

async function* jsonlRows(path: string, name: string): AsyncGenerator<Row> {
  let number = 0;
  for await (const line of pieces(path, name, '\n')) {
    number++;
    if (line.trim() === '') continue;
    yield { place: `${name}:${number}`, ...parseLine(line) };
  }
}

function parseLine(line: string): { columns: Record<string, unknown> } | BadRow {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { columns: { ...value } };
    }
    return { problem: 'is not a JSON object; write {"text": …} or the like', text: line };
  } catch {
    return { problem: 'is not JSON; correct or remove the line', text: line };
  }
}

interface BadRow {
  problem: string;
  text: string;
}

/** Documents are parted by `<|endoftext|>`. */
async function* textRows(path: string, name: string): AsyncGenerator<Row> {
  let number = 0;
  for await (const piece of pieces(path, name, PADDING)) {
    const text = piece.trim();
    if (text === '') continue;
    number++;
    yield { place: `${name}, document ${number}`, columns: { text } };
  }
}

/** The text of a file between separators; the last piece may be empty. */
async function* pieces(path: string, name: string, separator: string): AsyncGenerator<string> {
  // Text of the current piece that holds no separator, and the end of what was read, which may hold
  // the beginning of one: no character is searched twice.
  let held: string[] = [];
  let tail = '';
  const split = (text: string): string[] => {
    const parts = (tail + text).split(separator);
    const done = parts.slice(0, -1).map((part) => {
      const piece = held.join('') + part;
      held = [];
      return piece;
    });
    const rest = parts.at(-1)!;
    const end = Math.max(0, rest.length - separator.length + 1);
    held.push(rest.slice(0, end));
    tail = rest.slice(end);
    return done;
  };
  try {
    const file = createReadStream(path);
    const stream = path.endsWith('.gz') ? unpack(file) : file;
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      yield* split(decoder.decode(bytes as Uint8Array, { stream: true }));
    }
    yield* split(decoder.decode());
    yield held.join('') + tail;
  } catch (error) {
    throw readError(error, name);
  }
}

function readError(error: unknown, name: string): unknown {
  if (!(error instanceof Error)) return error;
  if (/unexpected end of file|incorrect (header|data|length)/.test(error.message)) {
    return new UserError(`${name}: is cut short or damaged; copy or download it again`);
  }
  if (error instanceof RangeError && error.message === 'Invalid string length') {
    return new UserError(
      `${name}: a document in it is too large for memory; part it with ${PADDING}`,
    );
  }
  return asUserError(error, `cannot read ${name}`);
}

/** Passes the file's errors on, which `pipe` alone does not. */
function unpack(file: NodeJS.ReadableStream): NodeJS.ReadableStream {
  const unpacked = createGunzip();
  file.on('error', (error) => unpacked.destroy(error));
  return file.pipe(unpacked);
}

/** Rows read at once. */
const ROWS_AT_ONCE = 1000;

async function* parquetRows(path: string, name: string): AsyncGenerator<Row> {
  const { parquetMetadataAsync, parquetReadObjects } = await import('hyparquet');
  const { compressors } = await import('hyparquet-compressors');
  const source = await openFileSource(path);
  const file = asyncBuffer(source);
  const damaged = (error: unknown) =>
    error instanceof UserError
      ? error
      : new UserError(
          `${name}: is not a whole Parquet file (${error instanceof Error ? error.message : error}); copy or download it again`,
          { cause: error },
        );
  try {
    const metadata = await parquetMetadataAsync(file);
    const count = Number(metadata.num_rows);
    for (let rowStart = 0; rowStart < count; rowStart += ROWS_AT_ONCE) {
      const rowEnd = Math.min(rowStart + ROWS_AT_ONCE, count);
      const rows = await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd });
      for (const [i, columns] of rows.entries()) {
        yield { place: `${name}, row ${rowStart + i + 1}`, columns };
      }
    }
  } catch (error) {
    throw damaged(error);
  } finally {
    await source.close();
  }
}

function asyncBuffer(source: ByteSource): AsyncBuffer {
  return {
    byteLength: source.byteLength,
    async slice(start, end = source.byteLength) {
      const bytes = await source.read(start, end - start);
      return bytes.buffer as ArrayBuffer;
    },
  };
}

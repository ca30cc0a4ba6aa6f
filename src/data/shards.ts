/**
 * Tokenised documents on disk. A shard is a safetensors file, so that its size is checked when it is
 * opened and anything can read it:
 *
 *     tokens   I32 or U16 [T]   the documents' ids, one after another
 *     learnt   U8 [T]           1 for tokens that are targets
 *     offsets  U32 [D + 1]      where each document begins, and the end of the last
 */
import { join } from 'node:path';
import type { ByteSource } from '../checkpoint/byte-source.ts';
import { openFileSource } from '../checkpoint/file-source.ts';
import { SafetensorsFile } from '../checkpoint/safetensors.ts';
import { writeSafetensors } from '../checkpoint/safetensors-writer.ts';
import { UserError } from '../errors.ts';
import type { Sample } from './documents.ts';

/** Tokens after which a shard is full. */
const SHARD_TOKENS = 4 * 2 ** 20;

/** Collects documents and writes a shard. */
export class ShardBuilder {
  readonly #tokens: number[] = [];
  readonly #learnt: number[] = [];
  readonly #offsets: number[] = [0];

  get isFull(): boolean {
    return this.#tokens.length >= SHARD_TOKENS;
  }

  get documents(): number {
    return this.#offsets.length - 1;
  }

  get tokenCount(): number {
    return this.#tokens.length;
  }

  add({ tokens, weights }: Sample): void {
    for (let i = 0; i < tokens.length; i++) {
      this.#tokens.push(tokens[i]!);
      this.#learnt.push(weights[i] === 0 ? 0 : 1);
    }
    this.#offsets.push(this.#tokens.length);
  }

  /** @param vocabSize decides how many bytes an id takes */
  async write(path: string, vocabSize: number): Promise<void> {
    const narrow = vocabSize <= 2 ** 16;
    const ids = narrow ? Uint16Array.from(this.#tokens) : Int32Array.from(this.#tokens);
    const tensors: [string, Uint8Array][] = [
      ['tokens', bytesOf(ids)],
      ['learnt', Uint8Array.from(this.#learnt)],
      ['offsets', bytesOf(Uint32Array.from(this.#offsets))],
    ];
    const count = this.#tokens.length;
    await writeSafetensors(
      path,
      [
        { name: 'tokens', dtype: narrow ? 'U16' : 'I32', shape: [count] },
        { name: 'learnt', dtype: 'U8', shape: [count] },
        { name: 'offsets', dtype: 'U32', shape: [this.#offsets.length] },
      ],
      tensors,
    );
  }
}

/** An open shard: its offsets are in memory, its documents on disk. */
export class Shard {
  readonly #source: ByteSource;
  readonly #file: SafetensorsFile;
  readonly #offsets: Uint32Array;

  /** @throws UserError when the file is missing or cut short */
  static async open(directory: string, name: string, documents: number): Promise<Shard> {
    const path = join(directory, name);
    try {
      const source = await openFileSource(path);
      const file = await SafetensorsFile.open(source);
      const bytes = new Uint8Array(await file.readBytes('offsets'));
      const offsets = new Uint32Array(bytes.buffer);
      if (offsets.length !== documents + 1) throw new UserError(`${path}: is another shard`);
      return new Shard(source, file, offsets);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      throw new UserError(`${error.message}; delete ${directory} to have it made anew`, {
        cause: error,
      });
    }
  }

  private constructor(source: ByteSource, file: SafetensorsFile, offsets: Uint32Array) {
    this.#source = source;
    this.#file = file;
    this.#offsets = offsets;
  }

  async read(document: number): Promise<Sample> {
    const [begin, end] = [this.#offsets[document]!, this.#offsets[document + 1]!];
    const count = end - begin;
    const tokens = this.#file.info('tokens');
    const width = tokens.dtype === 'U16' ? 2 : 4;
    const [ids, learnt] = await Promise.all([
      this.#source.read(tokens.offset + width * begin, width * count),
      this.#source.read(this.#file.info('learnt').offset + begin, count),
    ]);
    // A copy: the bytes need not be aligned where they are.
    const { buffer } = new Uint8Array(ids);
    const values = width === 2 ? new Uint16Array(buffer) : new Int32Array(buffer);
    return { tokens: Int32Array.from(values), weights: Float32Array.from(learnt) };
  }

  close(): Promise<void> {
    return this.#source.close();
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

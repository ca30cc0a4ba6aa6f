/**
 * The header of a safetensors file: 8 bytes of little-endian length N, then N bytes of JSON that
 * give each tensor's dtype, shape and byte range in the data that follows. The format demands that
 * the ranges cover the data without gap or overlap; we hold files to it, so that a damaged one is
 * found when it is opened and not as wrong numbers.
 */
import { UserError } from '../errors.ts';
import { isJsonObject } from '../json.ts';

/** Bytes of one element. */
export const dtypeBytes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
} as const;

export type Dtype = keyof typeof dtypeBytes;

export interface TensorLayout {
  name: string;
  dtype: Dtype;
  shape: number[];
}

/** A tensor's place in its file. */
export interface TensorInfo extends TensorLayout {
  /** Position of its first byte, from the beginning of the file. */
  offset: number;
  byteLength: number;
}

export interface SafetensorsHeader {
  /** Tensors in the order of their bytes. */
  tensors: TensorInfo[];
  metadata: Record<string, string>;
}

/** Headers longer than this are refused, as the format's own reader does. */
export const MAX_HEADER_BYTES = 100_000_000;

/** Bytes of the length in front of the JSON. */
export const LENGTH_BYTES = 8;

/**
 * Reads and checks a header.
 *
 * @param header the JSON, without the length in front of it
 * @param byteLength of the whole file
 * @param where the file's name, for messages
 * @throws UserError in one line: file, tensor, what is wrong and what to do
 */
export function parseHeader(
  header: Uint8Array,
  byteLength: number,
  where: string,
): SafetensorsHeader {
  const text = decodeText(header, where);
  const json = parseObject(text, where);
  checkDuplicates(text, where);
  const { __metadata__: metadata = {}, ...entries } = json;
  const dataStart = LENGTH_BYTES + header.byteLength;
  const tensors = Object.entries(entries).map(([name, entry]) =>
    parseEntry(name, entry, dataStart, where),
  );
  tensors.sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  checkCoverage(tensors, dataStart, byteLength, where);
  return { tensors, metadata: parseMetadata(metadata, where) };
}

/**
 * Lays tensors out in a new file: the bytes before the data, and each tensor's place. Wider dtypes
 * come first, so that every tensor is aligned to its own element size.
 */
export function layOut(
  tensors: TensorLayout[],
  metadata: Record<string, string>,
): { header: Uint8Array; tensors: TensorInfo[] } {
  const ordered = tensors.toSorted((a, b) => dtypeBytes[b.dtype] - dtypeBytes[a.dtype]);
  const entries: [string, unknown][] = [['__metadata__', metadata]];
  let end = 0;
  const placed = ordered.map(({ name, dtype, shape }) => {
    const byteLength = elementCount(shape) * dtypeBytes[dtype];
    const offset = end;
    end += byteLength;
    entries.push([name, { dtype, shape, data_offsets: [offset, end] }]);
    return { name, dtype, shape, offset, byteLength };
  });
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const padded = Math.ceil(json.byteLength / 8) * 8;
  const header = new Uint8Array(LENGTH_BYTES + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, LENGTH_BYTES);
  for (const tensor of placed) tensor.offset += header.byteLength;
  return { header, tensors: placed };
}

/** Numbers in a tensor; 1 for the empty shape of a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

const damaged = 'the file is damaged, so copy or download it again';

function decodeText(header: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(header);
  } catch {
    throw new UserError(`${where}: the header is not UTF-8 text; ${damaged}`);
  }
}

function parseObject(text: string, where: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(text);
    if (isJsonObject(json)) return json;
  } catch {
    // Reported below, like JSON that is no object.
  }
  throw new UserError(`${where}: the header is not a JSON object; ${damaged}`);
}

/** A string, with the colon after it when it is a name, or a bracket. */
const jsonTokens = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[{}[\]]/g;

/** JSON.parse keeps the last of two equal names in silence; the tensors' names stand at depth 1. */
function checkDuplicates(text: string, where: string): void {
  const names = new Set<string>();
  let depth = 0;
  for (const [token, string, colon] of text.matchAll(jsonTokens)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && string && colon) {
      // Parsed, for "a" and "\u0061" are the same name.
      const parsed: string = JSON.parse(string);
      if (names.has(parsed)) {
        throw new UserError(`${where}: tensor ${string} is listed twice; ${damaged}`);
      }
      names.add(parsed);
    }
  }
}

function parseEntry(name: string, entry: unknown, dataStart: number, where: string): TensorInfo {
  const fail = (problem: string): never => {
    throw new UserError(`${where}: tensor ${quote(name)} ${problem}; ${damaged}`);
  };
  if (!isJsonObject(entry)) return fail('is not described by a JSON object');
  const { dtype, shape, data_offsets: range } = entry;
  if (!isDtype(dtype)) {
    throw new UserError(
      `${where}: tensor ${quote(name)} has dtype ${quote(dtype)}, which is not supported; ` +
        `convert it to one of ${Object.keys(dtypeBytes).join(', ')}`,
    );
  }
  if (!isNaturals(shape)) return fail(`has shape ${quote(shape)}, not a list of sizes`);
  if (!isNaturals(range) || range.length !== 2 || range[0]! > range[1]!) {
    return fail(`has data_offsets ${quote(range)}, not [begin, end]`);
  }
  const [begin, end] = range as [number, number];
  const byteLength = elementCount(shape) * dtypeBytes[dtype];
  if (byteLength !== end - begin) {
    return fail(
      `has data_offsets [${range}], ${end - begin} bytes, but ${dtype} of shape [${shape}] ` +
        `takes ${byteLength}`,
    );
  }
  return { name, dtype, shape, offset: dataStart + begin, byteLength };
}

/** @param tensors in the order of their bytes */
function checkCoverage(
  tensors: TensorInfo[],
  dataStart: number,
  byteLength: number,
  where: string,
): void {
  let end = dataStart;
  for (const { name, offset, byteLength: size } of tensors) {
    if (offset !== end) {
      const problem = offset < end ? 'overlaps the one before it' : 'leaves a gap before it';
      throw new UserError(`${where}: tensor ${quote(name)} ${problem}; ${damaged}`);
    }
    end = offset + size;
    if (end > byteLength) {
      throw new UserError(
        `${where}: tensor ${quote(name)} ends at byte ${end}, but the file has ${byteLength}; ` +
          'it is cut short, so copy or download it again',
      );
    }
  }
  if (end !== byteLength) {
    throw new UserError(
      `${where}: ${byteLength - end} bytes after the last tensor belong to none; ${damaged}`,
    );
  }
}

function parseMetadata(metadata: unknown, where: string): Record<string, string> {
  if (isJsonObject(metadata)) {
    const entries = Object.entries(metadata);
    if (entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) {
      return Object.fromEntries(entries);
    }
  }
  throw new UserError(`${where}: __metadata__ is not an object of strings; ${damaged}`);
}

function isDtype(value: unknown): value is Dtype {
  return typeof value === 'string' && Object.hasOwn(dtypeBytes, value);
}

function isNaturals(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function quote(value: unknown): string {
  return JSON.stringify(value) ?? 'none';
}

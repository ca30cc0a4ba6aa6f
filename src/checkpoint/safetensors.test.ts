import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../test/support/checkpoint.ts';
import { UserError } from '../errors.ts';
import { type ByteSource, memorySource } from './byte-source.ts';
import { openFileSource } from './file-source.ts';
import { SafetensorsFile } from './safetensors.ts';
import { type Dtype, dtypeBytes, elementCount } from './safetensors-header.ts';
import { writeSafetensors } from './safetensors-writer.ts';

/** A file of the given header and number of data bytes, as bytes. */
function fileOf(header: unknown, dataBytes: number): Uint8Array {
  const text = typeof header === 'string' ? header : JSON.stringify(header);
  const json = new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + json.byteLength + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.byteLength), true);
  bytes.set(json, 8);
  return bytes;
}

function open(bytes: Uint8Array): Promise<SafetensorsFile> {
  return SafetensorsFile.open(memorySource('a.safetensors', bytes));
}

function f32(begin: number, end: number) {
  return { dtype: 'F32', shape: [(end - begin) / 4], data_offsets: [begin, end] };
}

describe('a damaged file is refused in one line', () => {
  const good = fileOf({ a: f32(0, 8), b: f32(8, 16) }, 16);
  const oversized = good.slice();
  new DataView(oversized.buffer).setBigUint64(0, 100_000_001n, true);
  const lying = good.slice();
  new DataView(lying.buffer).setBigUint64(0, 5000n, true);
  const notUtf8 = good.slice();
  notUtf8[10] = 0xff;

  test.each<[string, Uint8Array, string]>([
    ['an empty file', new Uint8Array(), 'has 0 bytes, too few'],
    ['a cut length', good.slice(0, 7), 'has 7 bytes, too few'],
    [
      'a cut header',
      good.slice(0, 20),
      'gives its header 108 bytes, but the file has 20; it is cut short',
    ],
    ['cut data', good.slice(0, -1), 'tensor "b" ends at byte'],
    ['an oversized header', oversized, 'gives its header 100000001 bytes, more than'],
    ['a header longer than the file', lying, 'gives its header 5000 bytes, but the file has'],
    ['bytes that are not UTF-8', notUtf8, 'the header is not UTF-8'],
    ['bad JSON', fileOf('{"a":', 0), 'the header is not a JSON object'],
    ['a JSON list', fileOf([], 0), 'the header is not a JSON object'],
    ['an overlap', fileOf({ a: f32(0, 8), b: f32(4, 12) }, 12), 'tensor "b" overlaps'],
    ['a gap', fileOf({ a: f32(0, 8), b: f32(12, 16) }, 16), 'tensor "b" leaves a gap'],
    ['a gap at the beginning', fileOf({ a: f32(4, 8) }, 8), 'tensor "a" leaves a gap'],
    ['bytes at the end', fileOf({ a: f32(0, 8) }, 11), '3 bytes after the last tensor'],
    ['offsets beyond the file', fileOf({ a: f32(0, 4000) }, 8), 'tensor "a" ends at byte'],
    [
      'a shape that does not fit its bytes',
      fileOf({ a: { dtype: 'F32', shape: [3], data_offsets: [0, 8] } }, 8),
      'tensor "a" has data_offsets [0,8], 8 bytes, but F32 of shape [3] takes 12',
    ],
    [
      'a shape that overflows',
      fileOf({ a: { dtype: 'F32', shape: [2 ** 40, 2 ** 40], data_offsets: [0, 0] } }, 0),
      'tensor "a" has data_offsets [0,0]',
    ],
    [
      'an unknown dtype',
      fileOf({ a: { dtype: 'F12', shape: [2], data_offsets: [0, 8] } }, 8),
      'tensor "a" has dtype "F12", which is not supported',
    ],
    [
      'a dtype that every object has',
      fileOf({ a: { dtype: 'toString', shape: [2], data_offsets: [0, 8] } }, 8),
      'tensor "a" has dtype "toString"',
    ],
    [
      'no dtype',
      fileOf({ a: { shape: [2], data_offsets: [0, 8] } }, 8),
      'tensor "a" has dtype none',
    ],
    [
      'a negative size',
      fileOf({ a: { dtype: 'F32', shape: [-1], data_offsets: [0, 0] } }, 0),
      'tensor "a" has shape [-1]',
    ],
    [
      'offsets backwards',
      fileOf({ a: { dtype: 'F32', shape: [0], data_offsets: [8, 0] } }, 8),
      'tensor "a" has data_offsets [8,0], not [begin, end]',
    ],
    ['a tensor that is no object', fileOf({ a: 'F32' }, 0), 'tensor "a" is not described by'],
    ['metadata of numbers', fileOf({ __metadata__: { step: 1 } }, 0), '__metadata__ is not'],
    [
      'a name twice',
      fileOf(`{"a":${JSON.stringify(f32(0, 8))},"a":${JSON.stringify(f32(0, 8))}}`, 8),
      'tensor "a" is listed twice',
    ],
    [
      'a name twice, once escaped',
      fileOf(`{"a":${JSON.stringify(f32(0, 8))},"\\u0061" :${JSON.stringify(f32(0, 8))}}`, 8),
      'tensor "\\u0061" is listed twice',
    ],
  ])('%s', async (_, bytes, message) => {
    const error = await open(bytes).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(UserError);
    expect(String(error)).toContain(`a.safetensors: ${message}`);
    expect(String(error)).not.toContain('\n');
  });

  test('cut anywhere, it does not open', () =>
    fc.assert(
      fc.asyncProperty(fc.nat(good.byteLength - 1), async (length) => {
        await expect(open(good.slice(0, length))).rejects.toThrow(UserError);
      }),
    ));
});

describe('opening and reading', () => {
  test('touches the header and the asked bytes only', async () => {
    const bytes = fileOf({ a: f32(0, 8), b: f32(8, 16) }, 16);
    const dataStart = bytes.byteLength - 16;
    bytes.set(new Uint8Array(Float32Array.of(3, 4).buffer), dataStart + 8);
    const ranges: number[][] = [];
    const source: ByteSource = {
      ...memorySource('a.safetensors', bytes),
      read: async (offset, length) => {
        ranges.push([offset, length]);
        return bytes.subarray(offset, offset + length);
      },
    };
    const file = await SafetensorsFile.open(source);
    expect(ranges).toEqual([
      [0, 8],
      [8, dataStart - 8],
    ]);
    expect(await file.readFloats('b')).toEqual(Float32Array.of(3, 4));
    expect(ranges.slice(2)).toEqual([[dataStart + 8, 8]]);
  });

  test('a missing tensor and a wrong dtype are named', async () => {
    const ids = { dtype: 'I32', shape: [2], data_offsets: [8, 16] };
    const bytes = fileOf({ a: f32(0, 8), ids }, 16);
    bytes[bytes.byteLength - 4] = 7;
    const file = await open(bytes);
    expect(await file.readIntegers('ids')).toEqual(Int32Array.of(0, 7));
    await expect(file.readFloats('ids')).rejects.toThrow('tensor "ids" is I32');
    await expect(file.readIntegers('a')).rejects.toThrow('tensor "a" is F32; it must be I32');
    expect(() => file.readBytes('c')).toThrow('a.safetensors: tensor "c" is missing');
  });

  test('scalars, empty tensors and odd names are read', async () => {
    const empty = { dtype: 'F32', shape: [0, 4], data_offsets: [4, 4] };
    const scalar = { dtype: 'F32', shape: [], data_offsets: [0, 4] };
    const name = 'a "quoted\\" {name}';
    const file = await open(
      fileOf(
        `{"__proto__":${JSON.stringify(scalar)},${JSON.stringify(name)}:${JSON.stringify(empty)}}`,
        4,
      ),
    );
    expect([...file.tensors.keys()]).toEqual(['__proto__', name]);
    expect(await file.readFloats('__proto__')).toEqual(Float32Array.of(0));
    expect(await file.readFloats(name)).toEqual(new Float32Array());
  });

  test('a missing file and a folder are named', async () => {
    const directory = await temporaryDirectory();
    const missing = join(directory, 'no.safetensors');
    await expect(openFileSource(missing)).rejects.toThrow(`cannot read ${missing}: no such file`);
    await expect(
      openFileSource(directory).then((source) => SafetensorsFile.open(source)),
    ).rejects.toThrow(`cannot read ${directory}: it is a folder`);
  });
});

describe('writing', () => {
  const tensor = fc.record({
    dtype: fc.constantFrom(...(Object.keys(dtypeBytes) as Dtype[])),
    shape: fc.array(fc.nat(4), { maxLength: 3 }),
  });

  test('what is written reads back, in any order, every tensor aligned', async () => {
    const path = join(await temporaryDirectory(), 'a.safetensors');
    const tensors = fc.dictionary(fc.string({ minLength: 1 }), tensor, { maxKeys: 8 });
    await fc.assert(
      fc.asyncProperty(tensors, fc.dictionary(fc.string(), fc.string()), async (record, notes) => {
        const layout = Object.entries(record).map(([name, entry]) => ({ name, ...entry }));
        const contents = layout.map(({ name, dtype, shape }, index): [string, Uint8Array] => [
          name,
          new Uint8Array(elementCount(shape) * dtypeBytes[dtype]).fill(index + 1),
        ]);
        await writeSafetensors(path, layout, contents.toReversed(), notes);
        const file = await SafetensorsFile.open(await openFileSource(path));
        try {
          expect({ ...file.metadata }).toEqual({ ...notes });
          expect(file.tensors.size).toBe(layout.length);
          for (const { name, dtype, shape } of layout) {
            expect(file.info(name)).toMatchObject({ dtype, shape });
            expect(file.info(name).offset % dtypeBytes[dtype]).toBe(0);
          }
          for (const [name, bytes] of contents) expect(await file.readBytes(name)).toEqual(bytes);
        } finally {
          await file.close();
        }
      }),
      { numRuns: 50 },
    );
  });

  test('the data begins at a multiple of 8 bytes', async () => {
    const path = join(await temporaryDirectory(), 'a.safetensors');
    await writeSafetensors(
      path,
      [{ name: 'abc', dtype: 'U8', shape: [1] }],
      [['abc', Uint8Array.of(9)]],
    );
    const bytes = await readFile(path);
    expect((bytes.byteLength - 1) % 8).toBe(0);
    expect(bytes.at(-1)).toBe(9);
  });

  test('a missing, unknown, repeated or misfit tensor leaves the old file', async () => {
    const path = join(await temporaryDirectory(), 'a.safetensors');
    await writeFile(path, 'old');
    const layout = [{ name: 'a', dtype: 'U8' as const, shape: [2] }];
    const a: [string, Uint8Array] = ['a', new Uint8Array(2)];
    await expect(writeSafetensors(path, layout, [])).rejects.toThrow('tensor a is missing');
    await expect(writeSafetensors(path, layout, [a, a])).rejects.toThrow('a is not awaited');
    await expect(writeSafetensors(path, layout, [['a', new Uint8Array(3)]])).rejects.toThrow(
      'tensor a has 3 bytes, not 2',
    );
    await expect(writeSafetensors(path, [...layout, ...layout], [a])).rejects.toThrow('twice');
    expect(await readFile(path, 'utf8')).toBe('old');
  });
});

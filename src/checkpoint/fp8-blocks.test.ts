import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomFloats } from '../../test/support/checkpoint.ts';
import type { AttentionConfig } from '../model/config.ts';
import { openFileSource } from './file-source.ts';
import {
  BLOCK,
  type BlockScales,
  dequantizeBlocks,
  fusedKeyScaleRow,
  fusedLayout,
  fusedValueScaleRow,
  type ScaleRow,
  uniformScaleRow,
} from './fp8-blocks.ts';
import { e4m3Values } from './number-formats.ts';
import { SafetensorsFile } from './safetensors.ts';

interface Matrix {
  rows: number;
  columns: number;
  values: Float32Array;
}

interface Quantized {
  codes: Uint8Array;
  scales: BlockScales;
  /** The values that codes and scales stand for. */
  decoded: Matrix;
}

/** Quantises in blocks of 128 × 128 counted from the first row, each with its largest value at 448. */
function quantize({ rows, columns, values }: Matrix): Quantized {
  const scaleColumns = Math.ceil(columns / BLOCK);
  const scaleRows = Math.ceil(rows / BLOCK);
  const scales = new Float32Array(scaleRows * scaleColumns);
  const blockOf = (i: number) =>
    Math.floor(i / columns / BLOCK) * scaleColumns + Math.floor((i % columns) / BLOCK);
  values.forEach((value, i) => {
    scales[blockOf(i)] = Math.max(scales[blockOf(i)]!, Math.abs(value) / 448);
  });
  const codes = Uint8Array.from(values, (value, i) => nearestCode(value / scales[blockOf(i)]!));
  const decoded = Float32Array.from(codes, (code, i) => e4m3Values[code]! * scales[blockOf(i)]!);
  return {
    codes,
    scales: { rows: scaleRows, columns: scaleColumns, values: scales },
    decoded: { rows, columns, values: decoded },
  };
}

const LARGEST = 0x7e;

/** Codes without their sign are in the order of their values. */
function nearestCode(value: number): number {
  const magnitude = Math.abs(value);
  let upper = 0;
  for (let step = 64; step > 0; step >>= 1) {
    const next = upper + step;
    if (next <= LARGEST && e4m3Values[next - 1]! < magnitude) upper = next;
  }
  const lower = Math.max(upper - 1, 0);
  const isUpperNearer = e4m3Values[upper]! - magnitude < magnitude - e4m3Values[lower]!;
  return (isUpperNearer ? upper : lower) | (value < 0 ? 0x80 : 0);
}

function expectSameBits(found: Float32Array, expected: Float32Array): void {
  expect(found.length).toBe(expected.length);
  const bits = (array: Float32Array) =>
    new Uint32Array(array.buffer, array.byteOffset, array.length);
  const wanted = bits(expected);
  expect(bits(found).findIndex((value, i) => value !== wanted[i])).toBe(-1);
}

function decode(quantized: Pick<Quantized, 'codes'>, columns: number, rows: ScaleRow) {
  const out = new Float32Array(quantized.codes.length);
  dequantizeBlocks(quantized.codes, columns, rows, out);
  return out;
}

test('ordinary blocks decode bit for bit, cut ones at the edges too', () => {
  const size = fc.integer({ min: 1, max: 300 });
  fc.assert(
    fc.property(size, size, fc.nat(), (rows, columns, seed) => {
      const quantized = quantize({ rows, columns, values: randomFloats(rows * columns, seed) });
      const found = decode(quantized, columns, uniformScaleRow(quantized.scales));
      expectSameBits(found, quantized.decoded.values);
    }),
    { numRuns: 20 },
  );
});

/**
 * A layer quantised as the released checkpoint's global layers were: query, key and value rows of
 * each rank fused, quantised together, and split afterwards, codes by rows and scales by whole
 * scale rows.
 */
function quantizeFused(attention: AttentionConfig, columns: number, seed: number) {
  const { heads, keyValueHeads, headDim, valueHeadDim } = attention;
  const queryRows = (heads / keyValueHeads) * headDim;
  const rows = queryRows + headDim + valueHeadDim;
  const ranks = Array.from({ length: keyValueHeads }, (_, rank) => {
    // Rows of very different size, so that a wrong scale cannot go unseen.
    const values = randomFloats(rows * columns, seed + rank).map(
      (value, i) => value * 2 ** (Math.floor(i / columns / 64) % 7),
    );
    return quantize({ rows, columns, values });
  });
  const queryBlocks = queryRows / BLOCK;
  const keyBlocks = Math.ceil(headDim / BLOCK);
  return {
    query: part(0, queryRows, 0, queryBlocks),
    key: part(queryRows, queryRows + headDim, queryBlocks, queryBlocks + keyBlocks),
    value: part(queryRows + headDim, rows, queryBlocks + keyBlocks, Math.ceil(rows / BLOCK)),
  };

  function part(begin: number, end: number, scaleBegin: number, scaleEnd: number) {
    const scaleColumns = Math.ceil(columns / BLOCK);
    const slices = ranks.map(({ codes, scales, decoded }) => ({
      codes: codes.subarray(begin * columns, end * columns),
      scales: scales.values.subarray(scaleBegin * scaleColumns, scaleEnd * scaleColumns),
      decoded: decoded.values.subarray(begin * columns, end * columns),
    }));
    return {
      codes: Uint8Array.from(slices.flatMap(({ codes }) => [...codes])),
      scales: {
        rows: (scaleEnd - scaleBegin) * keyValueHeads,
        columns: scaleColumns,
        values: Float32Array.from(slices.flatMap(({ scales }) => [...scales])),
      },
      decoded: Float32Array.from(slices.flatMap(({ decoded }) => [...decoded])),
    };
  }
}

function attentionOf(heads: number, keyValueHeads: number, headDim: number, valueHeadDim: number) {
  const rest = { rotaryDim: 2, ropeTheta: 1e4, window: null, sink: false };
  return { heads, keyValueHeads, headDim, valueHeadDim, ...rest };
}

describe('a layer quantised with query, key and value fused', () => {
  test.each([
    // The released model's head sizes, at fewer query heads.
    { heads: 8, keyValueHeads: 4, headDim: 192, valueHeadDim: 128 },
    { heads: 4, keyValueHeads: 2, headDim: 192, valueHeadDim: 192 },
    // All value rows fit the key's last block, so the value has no scales of its own.
    { heads: 4, keyValueHeads: 2, headDim: 192, valueHeadDim: 64 },
    { heads: 16, keyValueHeads: 4, headDim: 32, valueHeadDim: 24 },
    { heads: 12, keyValueHeads: 3, headDim: 160, valueHeadDim: 300 },
  ])('decodes bit for bit: %o', ({ heads, keyValueHeads, headDim, valueHeadDim }) => {
    const attention = attentionOf(heads, keyValueHeads, headDim, valueHeadDim);
    const columns = 130;
    const { query, key, value } = quantizeFused(attention, columns, 7);
    const layout = fusedLayout(attention, key.scales.rows)!;
    expect(layout).not.toBeNull();
    expect(value.scales.rows).toBe(keyValueHeads * layout.valueBlocks);

    const queryFound = decode(query, columns, uniformScaleRow(query.scales));
    expectSameBits(queryFound, query.decoded);
    const keyFound = decode(key, columns, fusedKeyScaleRow(attention, layout, key.scales));
    expectSameBits(keyFound, key.decoded);
    const valueRow = fusedValueScaleRow(attention, layout, key.scales, value.scales);
    expectSameBits(decode(value, columns, valueRow), value.decoded);
  });

  test('is told from the ordinary layout by the rows of the key scales', () => {
    const global = attentionOf(64, 4, 192, 128);
    expect(fusedLayout(global, 8)).toEqual({ keyBlocks: 2, valueBlocks: 1 });
    expect(fusedLayout(global, 6)).toBeNull();
    const sliding = attentionOf(64, 8, 192, 128);
    expect(fusedLayout(sliding, 12)).toBeNull();
    // Heads of whole blocks: both layouts are one.
    expect(fusedLayout(attentionOf(8, 4, 128, 128), 4)).toBeNull();
  });

  test('is refused when key rows would not begin a block', () => {
    expect(() => fusedLayout(attentionOf(4, 4, 192, 128), 8)).toThrow('fused over 192 query rows');
  });
});

const reference = join(import.meta.dirname, '../../../shared/reference');

describe.skipIf(!existsSync(join(reference, 'fp8-ga-attention.safetensors')))(
  'the reference layer at real head sizes, quantised and decoded by others',
  () => {
    test.each(['q_proj', 'k_proj', 'v_proj'] as const)('%s', async (name) => {
      const open = async (file: string) =>
        SafetensorsFile.open(await openFileSource(join(reference, file)));
      const stored = await open('fp8-ga-attention.safetensors');
      const expected = await open('fp8-ga-attention.expected.safetensors');
      const scalesOf = async (part: string): Promise<BlockScales> => {
        const { shape } = stored.info(`${part}.weight_scale_inv`);
        const values = await stored.readFloats(`${part}.weight_scale_inv`);
        return { rows: shape[0]!, columns: shape[1]!, values };
      };
      const attention = attentionOf(64, 4, 192, 128);
      const keyScales = await scalesOf('k_proj');
      const layout = fusedLayout(attention, keyScales.rows)!;
      const rows = {
        q_proj: uniformScaleRow(await scalesOf('q_proj')),
        k_proj: fusedKeyScaleRow(attention, layout, keyScales),
        v_proj: fusedValueScaleRow(attention, layout, keyScales, await scalesOf('v_proj')),
      };
      const codes = await stored.readBytes(`${name}.weight`);
      const columns = stored.info(`${name}.weight`).shape[1]!;
      const expectedName = name === 'q_proj' ? 'q_proj.weight.rows0_256' : `${name}.weight`;
      const values = await expected.readFloats(expectedName);
      const found = decode({ codes }, columns, rows[name]);
      expectSameBits(found.subarray(0, values.length), values);
      await Promise.all([stored.close(), expected.close()]);
    });
  },
);

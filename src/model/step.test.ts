import { expect, test } from 'vitest';
import { tinyConfig } from '../../test/tiny-config.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import type { CachedRows } from '../tensor/inference-kernels.ts';
import { linear } from '../tensor/ops/index.ts';
import { readFloats, Scope } from '../tensor/scope.ts';
import { packDocuments } from './batch.ts';
import { type AttentionConfig, attentionOf } from './config.ts';
import { initializeModel } from './initialize.ts';
import { mtpBlock } from './mtp.ts';
import { stepLogits, stepMtpBlock, stepTrunk } from './step.ts';
import { trunk } from './trunk.ts';

const pageSize = 4;
const documents = [
  [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6],
  [2, 7, 1, 8, 2, 8, 1, 8, 2, 8, 4],
];

async function setUp() {
  const device = createReferenceDevice();
  const model = await initializeModel(device, tinyConfig(), 3);
  return { device, model, scope: new Scope(device) };
}

/** Compares rows with those of `expected` at some places. */
function expectRows(found: Float32Array, expected: Float32Array, places: number[]): void {
  const columns = found.length / places.length;
  places.forEach((place, row) => {
    for (let i = 0; i < columns; i++) {
      expect(found[row * columns + i]).toBeCloseTo(expected[place * columns + i]!, 5);
    }
  });
}

/** Page tables of two sequences with interleaved pages: rings for sliding layers. */
function pageTable({ window }: AttentionConfig, longest: number): number[][] {
  const positions = window === null ? longest : window - 1 + 2;
  const width = Math.ceil(positions / pageSize);
  return documents.map((_, s) => Array.from({ length: width }, (_, page) => 2 * page + s));
}

test('steps of two sequences give what the whole documents give', async () => {
  const { device, model, scope } = await setUp();
  const { config } = model;
  const expected = trunk(scope, model, packDocuments(scope, documents));
  const states = await readFloats(device, expected.residual);
  const logits = await readFloats(device, linear(scope, expected.hidden, model.head));

  const longest = Math.max(...documents.map(({ length }) => length));
  const attentions = config.layers.map((_, layer) => attentionOf(config, layer));
  const caches = attentions.map((attention) => {
    const rows = 2 * pageTable(attention, longest)[0]!.length * pageSize;
    const { keyValueHeads, headDim, valueHeadDim } = attention;
    return {
      keys: scope.empty([rows, keyValueHeads * headDim]),
      values: scope.empty([rows, keyValueHeads * valueHeadDim]),
    };
  });
  const firstRow = [0, documents[0]!.length];
  // Two rows of each sequence a step, of which the second is taken back and given again.
  for (let position = 0; position < longest; position++) {
    const rows = documents.flatMap((tokens, sequence) =>
      [position, position + 1]
        .filter((p) => p < tokens.length)
        .map((p) => ({ p, sequence, token: tokens[p]! })),
    );
    const cache = (slot: number): CachedRows => {
      const table = pageTable(attentions[slot]!, longest);
      const layout = [...rows.map(({ p }) => p), ...rows.map(({ sequence }) => sequence)];
      const data = Int32Array.from([...layout, ...table.flat()]);
      return {
        ...caches[slot]!,
        pageSize,
        width: table[0]!.length,
        layout: scope.from([data.length], data),
      };
    };
    const tokens = scope.from(
      [rows.length],
      Int32Array.from(rows, ({ token }) => token),
    );
    const { residual } = stepTrunk(scope, model, tokens, cache);
    const out = scope.empty([rows.length, model.head.rows]);
    stepLogits(model, model.finalNorm, residual, null, out);
    const places = rows.map(({ p, sequence }) => firstRow[sequence]! + p);
    expectRows(await readFloats(device, residual), states, places);
    expectRows(await readFloats(device, out), logits, places);
  }
  scope.close();
});

test('an MTP block in steps gives what it gives on a whole document', async () => {
  const { device, model, scope } = await setUp();
  const { config } = model;
  const [document] = documents as [number[]];
  const batch = packDocuments(scope, [document]);
  const { hidden } = trunk(scope, model, batch);
  const block = mtpBlock(scope, model, 1, batch, hidden);
  const expected = await readFloats(device, linear(scope, block, model.head));

  const [table] = pageTable(config.slidingAttention, document.length) as [number[]];
  const { keyValueHeads, headDim, valueHeadDim } = config.slidingAttention;
  const keys = scope.empty([2 * table.length * pageSize, keyValueHeads * headDim]);
  const values = scope.empty([2 * table.length * pageSize, keyValueHeads * valueHeadDim]);
  for (let p = 1; p < document.length; p += 2) {
    // The row before only leaves its key and value.
    const rowsOf = (positions: number[]) => {
      const data = [...positions, ...positions.map(() => 0), ...table];
      const layout = scope.from([data.length], Int32Array.from(data));
      return () => ({ keys, values, pageSize, width: table.length, layout });
    };
    const tokens = scope.from([2], Int32Array.of(document[p]!, document[p - 1]!));
    const stateRows = scope.from([2], Int32Array.of(p, p - 1));
    const drafting = { count: 1, cache: rowsOf([p]) };
    const cache = rowsOf([p, p - 1]);
    const x = stepMtpBlock(scope, model, 1, tokens, hidden, stateRows, cache, drafting);
    // The row that is asked for, and one that there is not.
    const rows = scope.from([2], Int32Array.of(-1, 0));
    const out = scope.empty([2, model.head.rows]);
    stepLogits(model, model.mtp[1]!.finalNorm, x, rows, out);
    const found = await readFloats(device, out);
    expect(found.subarray(0, model.head.rows)).toEqual(new Float32Array(model.head.rows));
    expectRows(found.subarray(model.head.rows), expected, [p]);
  }
  scope.close();
});

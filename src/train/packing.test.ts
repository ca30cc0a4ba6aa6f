import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { byteText } from '../../test/train/byte-text.ts';
import { encodeDocument } from '../data/documents.ts';
import { type SampleSource, SampleStream } from '../data/sample-stream.ts';
import { BatchQueue } from './batch-queue.ts';
import { Packer, type PackerState } from './packing.ts';
import { documentCount } from './targets.ts';

const text = byteText();

/** Documents of the given lengths, over and over; a text of n letters is n + 1 tokens. */
function source(lengths: readonly number[], letter = 'a'): SampleSource {
  return {
    where: (index) => `document ${index}`,
    sample: async (index) => {
      const letters = letter.repeat(lengths[index % lengths.length]! - 1);
      return encodeDocument(text, { kind: 'text', text: letters });
    },
    close: async () => {},
  };
}

function packer(
  lengths: readonly number[],
  options: { budget: number; maxLength: number },
  state?: PackerState,
  lookahead = 0,
): Packer {
  const sources = [
    { source: source(lengths), weight: 2 },
    { source: source([5], 'b'), weight: 1 },
  ];
  return new Packer(
    new SampleStream(sources, 7, state?.stream, lookahead),
    options,
    state?.waiting ?? [],
  );
}

describe('packing', () => {
  test('fills batches with whole documents', async () => {
    const packing = packer([3, 9, 17], { budget: 40, maxLength: 100 });
    let used = 0;
    for (let i = 0; i < 20; i++) {
      const batch = await packing.next();
      expect(batch.tokens.length).toBeLessThanOrEqual(40);
      used += batch.tokens.length;
      const lengths = documentLengths(batch.rowStart);
      expect(lengths.every((length) => [3, 5, 9, 17].includes(length))).toBe(true);
      let start = 0;
      for (const length of lengths) {
        expect([...batch.positions.slice(start, start + length)]).toEqual([
          ...Array(length).keys(),
        ]);
        start += length;
      }
    }
    expect(used / (20 * 40)).toBeGreaterThan(0.95);
  });

  test('gives a step so many sequences, in batches that are no larger', async () => {
    const queue = new BatchQueue(packer([3, 9, 17], { budget: 40, maxLength: 100 }), {
      sequences: 11,
    });
    for (let step = 0; step < 5; step++) {
      const { batches } = await queue.next(step < 4);
      expect(batches.map(documentCount).reduce((a, b) => a + b)).toBe(11);
      for (const { tokens } of batches) expect(tokens.length).toBeLessThanOrEqual(40);
    }
  });

  test('cuts what is longer than the maximum so that every token is predicted once', async () => {
    const packing = new Packer(
      new SampleStream([{ source: source([25]), weight: 1 }], 1),
      { budget: 30, maxLength: 10 },
      [],
    );
    const lengths: number[] = [];
    for (let i = 0; i < 30; i++) lengths.push(...documentLengths((await packing.next()).rowStart));
    expect(new Set(lengths)).toEqual(new Set([10, 7]));
    // 9 + 9 + 6 of the 24 tokens that follow another.
    const predicted = lengths.reduce((sum, length) => sum + length - 1, 0);
    expect(Math.abs(predicted / lengths.length - 8)).toBeLessThan(0.5);
  });

  test('goes on from its saved state with the same batches', async () => {
    const lengths = fc.array(fc.integer({ min: 2, max: 60 }), { minLength: 1, maxLength: 6 });
    const property = fc.asyncProperty(lengths, fc.integer({ min: 0, max: 9 }), async (of, done) => {
      const options = { budget: 50, maxLength: 20 };
      const packing = packer(of, options);
      for (let i = 0; i < done; i++) await packing.next();
      const state = JSON.parse(JSON.stringify(packing.save()));
      const resumed = packer(of, options, state, 10);
      expect(resumed.save()).toEqual(state);
      for (let i = 0; i < 5; i++) expect(await resumed.next()).toEqual(await packing.next());
    });
    await fc.assert(property, { numRuns: 30 });
  });
});

function documentLengths(rowStart: Int32Array): number[] {
  const starts = [...new Set(rowStart)];
  return starts.map((start, i) => (starts[i + 1] ?? rowStart.length) - start);
}

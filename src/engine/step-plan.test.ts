import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DecoderSequence } from './decoder-sequence.ts';
import { planStep } from './step-plan.ts';

const window = 6;

const sequences = fc.array(
  fc.record({
    length: fc.nat(40),
    // How far each block is behind: not at all but for its own drafts, or by any number of positions.
    behind: fc.array(fc.nat(12), { minLength: 3, maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 5 },
);

test('every row of a step finds its token, known or drafted', () => {
  fc.assert(
    fc.property(sequences, fc.nat(3), (shapes, drafts) => {
      const all = shapes.map(({ length, behind }, s) => {
        // Tokens that tell their position and sequence; a drafted one is negative.
        const tokens = Array.from({ length: length + 1 }, (_, p) => 1 + p + 1000 * s);
        const sequence = new DecoderSequence({ pages: [], ring: s }, tokens, 3);
        sequence.length = length;
        for (const [head, lag] of behind.entries()) {
          sequence.blockLengths[head] = Math.max(0, length - head - lag);
        }
        return sequence;
      });
      const plan = planStep(all, drafts, window);
      const tokens = [...plan.tokens];
      plan.blocks.forEach(({ places }, head) => {
        const width = places.length / all.length;
        places.forEach((place, i) => {
          const s = Math.floor(i / width);
          if (place >= 0) tokens[place] = 1 + all[s]!.length + head + 1 + 1000 * s;
        });
      });
      let row = 0;
      for (const { sequence, begin, end } of plan.trunk) {
        for (let p = begin; p < end; p++) {
          expect(tokens[row++]).toBe(1 + p + 1000 * sequence.ring);
        }
      }
      plan.blocks.forEach(({ drafting, ranges, firstToken, rows, lastRows }, head) => {
        expect(ranges.slice(0, all.length)).toEqual(drafting);
        let at = 0;
        for (const [i, { sequence, begin, end }] of ranges.entries()) {
          const s = sequence.ring;
          if (i < all.length) expect(lastRows[s]).toBe(end > begin ? at : -1);
          for (let p = begin; p < end; p++) {
            expect(tokens[firstToken + at++]).toBe(1 + p + 1 + head + 1000 * s);
          }
        }
        for (const [s, { begin, end }] of drafting.entries()) {
          const { length } = all[s]!;
          const earlier = ranges[all.length + s]!;
          expect([earlier.end, end]).toEqual([begin, length]);
          expect(end - begin).toBe(end > earlier.begin ? 1 : 0);
          expect(end - earlier.begin).toBeLessThanOrEqual(window);
        }
        expect(at).toBe(rows);
        expect(firstToken % 64).toBe(0);
      });
    }),
  );
});

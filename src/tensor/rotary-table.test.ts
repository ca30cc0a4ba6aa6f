import { describe, expect, it } from 'vitest';
import { rotaryTable } from './rotary-table.ts';

describe('rotaryTable', () => {
  it('takes the cosine of the angle rounded to f32', () => {
    const positions = Int32Array.of(0, 1, 7, 4000, 200_001, 3, -2);
    const { cos, sin } = rotaryTable(positions, 6, 10_000);
    expect(cos.length).toBe(21);
    positions.forEach((position, t) => {
      for (let i = 0; i < 3; i++) {
        const angle = Math.fround(position * Math.fround(10_000 ** (-i / 3)));
        expect(cos[t * 3 + i]).toBe(Math.fround(Math.cos(angle)));
        expect(sin[t * 3 + i]).toBe(Math.fround(Math.sin(angle)));
      }
    });
  });

  it('gives the same values however it was called before', () => {
    const first = rotaryTable(Int32Array.of(5), 8, 123);
    rotaryTable(Int32Array.of(5000, 5), 8, 123);
    const again = rotaryTable(Int32Array.of(700, 5), 8, 123);
    expect(again.cos.slice(4)).toEqual(first.cos);
    expect(again.sin.slice(4)).toEqual(first.sin);
  });

  it('is empty without positions', () => {
    expect(rotaryTable(new Int32Array(0), 8, 10).cos.length).toBe(0);
  });
});

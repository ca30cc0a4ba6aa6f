import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeFloats,
  e4m3Values,
  encodeFloats,
  type FloatFormat,
  findNonFinite,
  type SavedFormat,
} from './number-formats.ts';

const allCodes = Uint16Array.from({ length: 0x10000 }, (_, code) => code);

function decode(format: FloatFormat, bytes: Uint8Array, length: number): Float32Array {
  const out = new Float32Array(length);
  decodeFloats(format, bytes, out);
  return out;
}

/** A number's value by the definition of its format, from its sign, exponent and mantissa. */
function definedValue(code: number, exponentBits: number, mantissaBits: number): number {
  const top = 2 ** exponentBits - 1;
  const sign = code >> (exponentBits + mantissaBits) ? -1 : 1;
  const exponent = (code >> mantissaBits) & top;
  const fraction = (code & (2 ** mantissaBits - 1)) / 2 ** mantissaBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === top) return fraction === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
  return sign * (1 + fraction) * 2 ** (exponent - bias);
}

describe.each([
  { format: 'F16', exponentBits: 5, mantissaBits: 10 },
  { format: 'BF16', exponentBits: 8, mantissaBits: 7 },
] as const)('$format', ({ format, exponentBits, mantissaBits }) => {
  const decoded = decode(format, new Uint8Array(allCodes.buffer), 0x10000);

  test('every code decodes to its value', () => {
    const expected = Float32Array.from(allCodes, (code) =>
      definedValue(code, exponentBits, mantissaBits),
    );
    // Compared as objects so that -0 and 0 differ.
    expect(decoded.every((value, code) => Object.is(value, expected[code]))).toBe(true);
  });

  test('every value encodes to its code, and NaN to a NaN', () => {
    const codes = new Uint16Array(encodeFloats(format, decoded).buffer);
    const wrong = allCodes.filter((code) =>
      Number.isNaN(decoded[code])
        ? !Number.isNaN(definedValue(codes[code]!, exponentBits, mantissaBits))
        : codes[code] !== code,
    );
    expect([...wrong]).toEqual([]);
  });

  test('between neighbours it rounds to the nearer, and halfway to the even', () => {
    const infinity = (2 ** exponentBits - 1) * 2 ** mantissaBits;
    const lower = allCodes.slice(0, infinity - 1);
    const halfway = Float32Array.from(lower, (c) => (decoded[c]! + decoded[c + 1]!) / 2);
    const even = lower.map((code) => code + (code & 1));
    expect(firstDifference(encodeAll(format, halfway), even)).toBe(-1);
    const below = encodeAll(format, halfway.map(nextDown));
    expect(firstDifference(below, lower)).toBe(-1);
    const above = encodeAll(format, halfway.map(nextUp));
    expect(
      firstDifference(
        above,
        lower.map((code) => code + 1),
      ),
    ).toBe(-1);
  });

  test('what is too large becomes infinity', () => {
    const most = definedValue(
      (2 ** exponentBits - 1) * 2 ** mantissaBits - 1,
      exponentBits,
      mantissaBits,
    );
    const limit = most * (1 + 2 ** -(mantissaBits + 2));
    const values = Float32Array.of(most, limit, 3.4028234e38, -3.4028234e38);
    const [kept, over, top, bottom] = decode(format, encodeFloats(format, values), 4);
    expect([kept, over, top, bottom]).toEqual([most, most, Infinity, -Infinity]);
  });

  test('bytes need no alignment', () => {
    const padded = new Uint8Array(5);
    padded.set(new Uint8Array(Uint16Array.of(0x3c00, 0xbc00).buffer), 1);
    const expected = decode(format, padded.slice(1), 2);
    expect(decode(format, padded.subarray(1), 2)).toEqual(expected);
  });
});

test('the largest half is 65504, and what rounds past it is infinity', () => {
  const codes = encodeAll('F16', Float32Array.of(65504, nextDown(65520), 65520));
  expect([...codes]).toEqual([0x7bff, 0x7bff, 0x7c00]);
});

function firstDifference(found: Uint16Array, expected: Uint16Array): number {
  expect(found.length).toBe(expected.length);
  return found.findIndex((code, i) => code !== expected[i]);
}

function encodeAll(format: SavedFormat, values: Float32Array): Uint16Array {
  return new Uint16Array(encodeFloats(format, values).buffer);
}

function nextUp(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  return new Float32Array(bits.map((b) => b + 1).buffer)[0]!;
}

function nextDown(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  return new Float32Array(bits.map((b) => b - 1).buffer)[0]!;
}

describe('F8_E4M3', () => {
  test('has 253 different numbers, two zeros among them, and two NaN', () => {
    const nan = [...e4m3Values.keys()].filter((code) => Number.isNaN(e4m3Values[code]));
    expect(nan).toEqual([0x7f, 0xff]);
    expect(new Set(e4m3Values).size).toBe(254);
  });

  test('every code below the top exponent follows the IEEE rule; the top one goes on to 448', () => {
    for (let code = 0; code < 256; code++) {
      if ((code & 0x7f) === 0x7f) continue;
      const exponent = (code >> 3) & 0xf;
      const topSign = code & 0x80 ? -1 : 1;
      const expected =
        exponent === 0xf ? topSign * (256 + 32 * (code & 7)) : definedValue(code, 4, 3);
      expect(e4m3Values[code], `code ${code}`).toBe(expected);
    }
    expect(e4m3Values[0x7e]).toBe(448);
    expect(e4m3Values[0x01]).toBe(2 ** -9);
  });

  test('decodes by the table', () => {
    const codes = Uint8Array.from({ length: 256 }, (_, code) => code);
    expect(decode('F8_E4M3', codes, 256)).toEqual(e4m3Values);
  });
});

test('F32 keeps every bit, and needs no alignment', () => {
  fc.assert(
    fc.property(fc.float32Array(), (values) => {
      const padded = new Uint8Array(values.byteLength + 1);
      padded.set(encodeFloats('F32', values), 1);
      expect(decode('F32', padded.subarray(1), values.length)).toEqual(values);
    }),
  );
});

test('the first number that is not finite is found', () => {
  expect(findNonFinite(Float32Array.of(1, -2, 3e38, 0))).toBe(-1);
  expect(findNonFinite(Float32Array.of(1, Number.NaN, Infinity))).toBe(1);
  expect(findNonFinite(Float32Array.of(1, 2, -Infinity))).toBe(2);
  expect(findNonFinite(new Float32Array())).toBe(-1);
});

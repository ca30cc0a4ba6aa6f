/**
 * The number formats of weights in files, to and from float32. Decoding is exact: every value of
 * the smaller formats is a float32. Encoding rounds to nearest, ties to even. Bytes are
 * little-endian, as in the safetensors format and on every machine JavaScript runs on.
 */
import { halfCode, halfTable } from '../tensor/half.ts';

/** Formats a weight can be read from, by their safetensors names. */
export type FloatFormat = 'F32' | 'F16' | 'BF16' | 'F8_E4M3';

/** Formats a weight can be written in. */
export type SavedFormat = Exclude<FloatFormat, 'F8_E4M3'>;

/** Decodes `out.length` numbers of `format` from `bytes`, which must hold exactly that many. */
export function decodeFloats(format: FloatFormat, bytes: Uint8Array, out: Float32Array): void {
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  switch (format) {
    case 'F32':
      new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(bytes);
      return;
    case 'BF16':
      widen(asUint16(bytes), bits, (code) => code << 16);
      return;
    case 'F16': {
      const table = halfTable();
      widen(asUint16(bytes), bits, (code) => table[code]!);
      return;
    }
    case 'F8_E4M3':
      for (let i = 0; i < out.length; i++) out[i] = e4m3Values[bytes[i]!]!;
      return;
  }
}

/**
 * Encodes as `format`. Too large for it becomes infinity; NaN stays NaN. F32 gives a view of
 * `values`, not a copy.
 */
export function encodeFloats(format: SavedFormat, values: Float32Array): Uint8Array {
  if (format === 'F32') {
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  }
  const encode = format === 'BF16' ? bfloat16Code : halfCode;
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const codes = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) codes[i] = encode(bits[i]!);
  return new Uint8Array(codes.buffer);
}

/**
 * The 256 values of FP8 E4M3 (the "FN" kind of the OCP 8-bit floating point specification): no
 * infinities, NaN at 0x7f and 0xff, subnormals in steps of 2^-9, largest value 448.
 */
export const e4m3Values: Float32Array = Float32Array.from({ length: 256 }, (_, code) => {
  const exponent = (code >> 3) & 0xf;
  const mantissa = code & 0x7;
  if (exponent === 0xf && mantissa === 0x7) return Number.NaN;
  const magnitude = exponent === 0 ? mantissa * 2 ** -9 : (1 + mantissa / 8) * 2 ** (exponent - 7);
  return code & 0x80 ? -magnitude : magnitude;
});

/** Index of the first NaN or infinity, or -1. */
export function findNonFinite(values: Float32Array): number {
  // x · 0 is 0 for finite x and NaN otherwise, so one sum answers for all without a branch each.
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0;
  return sum === 0 ? -1 : values.findIndex((value) => !Number.isFinite(value));
}

/** Keeps the upper 16 of a float32's 32 bits, rounded. */
function bfloat16Code(bits: number): number {
  // Rounding a NaN could carry into infinity, so its quiet bit is set instead.
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function widen(codes: Uint16Array, bits: Uint32Array, expand: (code: number) => number): void {
  for (let i = 0; i < bits.length; i++) bits[i] = expand(codes[i]!);
}

/** A view where the alignment allows it, a copy elsewhere. */
function asUint16(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
}

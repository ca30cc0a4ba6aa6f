/**
 * The number formats of weights in files, to and from float32. Decoding is exact: every value of
 * the smaller formats is a float32. Encoding rounds to nearest, ties to even. Bytes are
 * little-endian, as in the safetensors format and on every machine JavaScript runs on.
 */

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

/** IEEE binary16 from a float32's bits: 5 bits of exponent and 10 of mantissa. */
function halfCode(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  // 65520 is halfway from the largest half, 65504, to the next power of two, and rounds up.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // 2^-14, the smallest normal half. A subnormal is a count of 2^-24.
  if (magnitude < 0x38800000) return sign | subnormalCount(magnitude);
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  // The exponent's bias is 127 in a float32 and 15 in a half.
  return sign | ((rounded - (112 << 23)) >>> 13);
}

/** |x| in steps of 2^-24, rounded to even, for the bits of a float32 below 2^-14. */
function subnormalCount(magnitude: number): number {
  const exponent = magnitude >>> 23;
  const mantissa = exponent === 0 ? 0 : (magnitude & 0x7fffff) | 0x800000;
  const steps = mantissa * 2 ** (exponent - 127 - 23 + 24);
  // Adding 2^52 leaves a double no room for a fraction, so the addition itself rounds to even.
  return steps + 2 ** 52 - 2 ** 52;
}

let halfBits: Uint32Array | undefined;

/** The float32 bits of all 65,536 halves; made on first use, for most files have none. */
function halfTable(): Uint32Array {
  halfBits ??= Uint32Array.from({ length: 0x10000 }, (_, code) => halfToFloatBits(code));
  return halfBits;
}

function halfToFloatBits(code: number): number {
  const sign = (code & 0x8000) << 16;
  const exponent = (code >> 10) & 0x1f;
  const mantissa = code & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (mantissa << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (mantissa << 13);
  if (mantissa === 0) return sign;
  // A subnormal, mantissa · 2^-24, is a normal float32: shift its leading one into place.
  const shift = Math.clz32(mantissa) - 21;
  return sign | ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13);
}

function widen(codes: Uint16Array, bits: Uint32Array, expand: (code: number) => number): void {
  for (let i = 0; i < bits.length; i++) bits[i] = expand(codes[i]!);
}

/** A view where the alignment allows it, a copy elsewhere. */
function asUint16(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
}

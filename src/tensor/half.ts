/** Halves (IEEE binary16: 5 bits of exponent, 10 of mantissa) from and to the bits of a float32. */

/** To the nearest, ties to even. Too large becomes infinity; NaN stays NaN. */
export function halfCode(bits: number): number {
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

let halfBits: Uint32Array | undefined;

/** The float32 bits of all 65,536 halves; made on first use, for many need none. */
export function halfTable(): Uint32Array {
  halfBits ??= Uint32Array.from({ length: 0x10000 }, (_, code) => halfToFloatBits(code));
  return halfBits;
}

/** |x| in steps of 2^-24, rounded to even, for the bits of a float32 below 2^-14. */
function subnormalCount(magnitude: number): number {
  const exponent = magnitude >>> 23;
  const mantissa = exponent === 0 ? 0 : (magnitude & 0x7fffff) | 0x800000;
  const steps = mantissa * 2 ** (exponent - 127 - 23 + 24);
  // Adding 2^52 leaves a double no room for a fraction, so the addition itself rounds to even.
  return steps + 2 ** 52 - 2 ** 52;
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

/**
 * How kernels see keys and values in a cache: in f32, or in halves, two of which are a word. WGSL packs and
 * unpacks these without any optional feature.
 */
import type { Tensor } from '../../../tensor/tensor.ts';

/** What is read at a time: a number, or four. */
type Unit = 'f32' | 'vec4f';

export const inHalves = (cache: Tensor) => cache.dtype === 'f16';

/** An element of a cache that is read by `unit`. */
export const cacheElement = (unit: Unit, halves: boolean) =>
  halves ? ({ f32: 'u32', vec4f: 'vec2u' } as const)[unit] : unit;

/** A function `name(i)` that gives unit i of a cache. */
export function cacheReader(name: string, array: string, unit: Unit, halves: boolean): string {
  const read = {
    f32: `return unpack2x16float(${array}[i / 2u])[i % 2u];`,
    vec4f: `let words = ${array}[i]; return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));`,
  };
  return `fn ${name}(i: u32) -> ${unit} { ${halves ? read[unit] : `return ${array}[i];`} }`;
}

/**
 * `packHalves(a, b)`: two numbers as a word of halves; what is too large for a half becomes the largest.
 * WGSL lets an adapter round either way when it packs, and a compiler may take packing and unpacking for
 * nothing, so numbers are rounded by their bits, to the nearest and ties to even.
 */
export const halvesFunctions = /* wgsl */ `
fn roundToHalf(value: f32) -> f32 {
  let x = clamp(value, -65504.0, 65504.0);
  if (abs(x) < 0x1p-14f) { return round(x * 0x1p24f) * 0x1p-24f; }
  let bits = bitcast<u32>(x);
  return bitcast<f32>((bits + 0xfffu + ((bits >> 13u) & 1u)) & 0xffffe000u);
}
fn packHalves(a: f32, b: f32) -> u32 { return pack2x16float(vec2f(roundToHalf(a), roundToHalf(b))); }
`;

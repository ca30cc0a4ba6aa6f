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

/** Two numbers as a word of halves; what is too large for a half becomes the largest. */
export const packHalves = (a: string, b: string) =>
  `pack2x16float(clamp(vec2f(${a}, ${b}), vec2f(-65504.0), vec2f(65504.0)))`;

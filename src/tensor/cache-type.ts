/** What caches of keys and values hold: see `CachedRows`. */
import type { DType } from './tensor.ts';

export const cacheTypes = ['f32', 'f16', 'i8'] as const satisfies readonly DType[];

export type CacheType = (typeof cacheTypes)[number];

/** In caches of other types than f32, heads are multiples of so many numbers. */
export const cachedHeadMultiple = 8;

/** And so many of them are rotated. */
export const cachedRotaryMultiple = 4;

/** In caches of i8 so many rows lie together: pages are multiples of it. */
export const cachedRowMultiple = 4;

/** Elements of a cache for a head of `numbers`; one of bytes has a scale in f32 besides. */
export function cachedHeadSize(type: CacheType, numbers: number): number {
  return type === 'i8' ? numbers + 4 : numbers;
}

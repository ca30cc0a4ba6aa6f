/** Elements that one thread should take at a time: far more work than a hand-over, and in the cache. */
export const elementGrain = 16384;

/** The same in rows, for kernels whose work is in proportion to the elements of a row. */
export function rowGrain(elementsPerRow: number): number {
  return Math.max(1, Math.ceil(elementGrain / Math.max(1, elementsPerRow)));
}

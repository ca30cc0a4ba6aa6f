/**
 * Rounds up to one of eight steps between powers of two, so that at most an eighth is wasted, and to a
 * multiple of `unit`. Memory whose size changes from step to step is taken in these classes: what is kept
 * for one size then serves again.
 */
export function sizeClass(size: number, unit: number): number {
  const least = Math.max(size, 1);
  const step = Math.max(unit, 2 ** Math.ceil(Math.log2(least) - 4));
  return Math.ceil(least / step) * step;
}

/** Timing for benchmarks: repeats work and takes the best, since noise only ever adds. */
export async function bestSeconds(
  work: () => void | Promise<void>,
  { minimumSeconds = 0.4, minimumRuns = 3 } = {},
): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  const begin = performance.now();
  for (let run = 0; run < minimumRuns || performance.now() - begin < minimumSeconds * 1e3; run++) {
    const start = performance.now();
    await work();
    best = Math.min(best, (performance.now() - start) / 1e3);
  }
  return best;
}

/** Timing for benchmarks: repeats work and takes the best, since noise only ever adds. */
export async function bestSeconds(
  work: () => unknown,
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

/** Queued work must take this long for the wait at its end not to count. */
const longEnough = 0.02;

/**
 * The time of `call` where calls are queued and `wait` waits for them: as many of them together as make
 * the wait not count.
 */
export async function queuedSeconds(
  call: () => void,
  wait: () => Promise<unknown>,
): Promise<number> {
  for (let calls = 1; ; calls *= 2) {
    const seconds = await bestSeconds(
      async () => {
        for (let i = 0; i < calls; i++) call();
        await wait();
      },
      { minimumSeconds: 0, minimumRuns: 2 },
    );
    if (seconds < longEnough) continue;
    const best = await bestSeconds(async () => {
      for (let i = 0; i < calls; i++) call();
      await wait();
    });
    return Math.min(seconds, best) / calls;
  }
}

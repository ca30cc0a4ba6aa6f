/**
 * Runs long work that Ctrl-C or a signal to end asks to stop, by the signal that it is given; asked a
 * second time, the process ends at once. `notice` is said when first asked.
 */
export async function stoppable<Result>(
  notice: string,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const stop = new AbortController();
  const onInterrupt = () => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
    console.error(`\n${notice}; press Ctrl-C again to stop at once`);
  };
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onInterrupt);
  try {
    return await work(stop.signal);
  } finally {
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onInterrupt);
  }
}

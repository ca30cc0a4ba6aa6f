/**
 * Events of several sources in the order in which they come. Leaving the iteration, or an error of
 * one source, ends all of them at their next event.
 */
export async function* merge<Item>(sources: readonly AsyncGenerator<Item>[]): AsyncGenerator<Item> {
  const next = (source: AsyncGenerator<Item>) => {
    const promise = source.next().then((result) => ({ source, result }));
    // It may fail while nobody waits for it; the race it is in next will tell.
    promise.catch(() => undefined);
    return promise;
  };
  const pending = new Map(sources.map((source) => [source, next(source)]));
  try {
    while (pending.size > 0) {
      const { source, result } = await Promise.race(pending.values());
      if (result.done) {
        pending.delete(source);
      } else {
        pending.set(source, next(source));
        yield result.value;
      }
    }
  } finally {
    await Promise.allSettled([...pending.keys()].map((source) => source.return(undefined)));
  }
}

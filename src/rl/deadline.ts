import type { Clock } from './clock.ts';

/**
 * Waits for work no longer than so many milliseconds, whether or not it heeds its signal.
 *
 * @param late what to throw then
 * @param outer when aborted, its reason is thrown at once
 */
export async function withDeadline<Result>(
  clock: Clock,
  milliseconds: number,
  work: (signal: AbortSignal) => Promise<Result>,
  late: () => Error,
  outer?: AbortSignal,
): Promise<Result> {
  outer?.throwIfAborted();
  const controller = new AbortController();
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const cancel = clock.after(milliseconds, () => reject(late()));
  const abort = () => reject(outer!.reason);
  outer?.addEventListener('abort', abort);
  try {
    // What throws at once is a rejection like any other.
    (async () => work(controller.signal))().then(resolve, reject);
    return await promise;
  } catch (error) {
    controller.abort();
    throw error;
  } finally {
    cancel();
    outer?.removeEventListener('abort', abort);
  }
}

/** What the promise gives, or the reason of `signal` as soon as it is aborted. */
export async function untilAborted<Result>(
  promise: Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  if (!signal) return promise;
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

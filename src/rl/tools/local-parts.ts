/** What pools and services of this process share. */
import { UserError } from '../../errors.ts';
import type { Clock } from '../clock.ts';
import { withDeadline } from '../deadline.ts';
import { SequenceFailure } from '../sequence-failure.ts';
import type { Allocator } from './allocator.ts';
import type { KindFigures } from './kind-figures.ts';
import type { Environment, LeaseOptions, Resources } from './types.ts';

export interface LocalParts {
  allocator: Allocator;
  clock: Clock;
  /** Aborted when the toolbox closes. */
  closing: AbortSignal;
  /** Closes fresh environments that hold some of these resources, for somebody waits. */
  makeRoom(needs: Resources): void;
}

/** Waits for resources; fresh environments that nobody uses give way. */
export async function acquire(
  { allocator, makeRoom, closing }: LocalParts,
  figures: KindFigures,
  needs: Resources,
  { signal, priority }: LeaseOptions,
): Promise<() => void> {
  if (!allocator.isFree(needs, priority)) makeRoom(needs);
  figures.waiting++;
  try {
    const either = signal ? AbortSignal.any([signal, closing]) : closing;
    return await allocator.acquire(needs, { signal: either, ...(priority && { priority }) });
  } finally {
    figures.waiting--;
  }
}

export interface GuardedCall<Result> {
  /** For messages. */
  name: string;
  /** In milliseconds. */
  timeout: number;
  work: (signal: AbortSignal) => Promise<Result>;
}

/**
 * Does something that may throw or hang, and counts it if it does.
 *
 * @throws SequenceFailure of kind `tool` or `tool-timeout`; a SequenceFailure or UserError of the work's
 *   own as it is, and so the reason of `signal`
 */
export async function guardedCall<Result>(
  { name, timeout, work }: GuardedCall<Result>,
  clock: Clock,
  figures: KindFigures,
  signal: AbortSignal | undefined,
): Promise<Result> {
  const late = () =>
    new SequenceFailure('tool-timeout', `${name} did not answer in ${timeout / 1000} s`);
  try {
    return await withDeadline(clock, timeout, work, late, signal);
  } catch (error) {
    if (signal?.aborted) throw error;
    const isLate = error instanceof SequenceFailure && error.kind === 'tool-timeout';
    if (isLate) figures.timeouts++;
    else figures.failures++;
    if (error instanceof SequenceFailure || error instanceof UserError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new SequenceFailure('tool', `${name}: ${message}`, { cause: error });
  }
}

/** Whether the tool is to blame, so that another attempt may do better. */
export function isToolFailure(error: unknown): boolean {
  return error instanceof SequenceFailure && error.kind.startsWith('tool');
}

/** Closes what nobody needs any more; that it hangs or throws is of no interest. */
export async function closeQuietly(
  environment: Environment,
  clock: Clock,
  milliseconds: number,
): Promise<void> {
  const late = () => new Error('it does not close');
  await withDeadline(clock, milliseconds, () => environment.close(), late).catch(() => {});
}

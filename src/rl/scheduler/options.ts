/** What a run's config says about scheduling; see `SchedulerOptions` for what each option means. */
import { z } from 'zod';
import { count, countOrZero, natural, positive, share } from '../../config-fields.ts';
import type { SchedulerOptions } from './types.ts';

const fieldsSchema = z.strictObject({
  seed: countOrZero.default(1),
  groups: count,
  groupSize: count,
  /** Left out, half of `groupSize`. */
  minGroupSize: count.optional(),
  /** Left out, true for groups of more than one. */
  requireSignal: z.boolean('must be true or false').optional(),
  /** Left out, half of `groups`. */
  groupsAhead: countOrZero.optional(),
  overlap: z.boolean('must be true or false').default(false),
  concurrency: count.default(32),
  rewardConcurrency: count.default(16),
  maxStaleness: countOrZero.default(4),
  maxCarriedShare: share.default(0.5),
  maxWaitSeconds: natural.default(30),
  rolloutTimeoutSeconds: positive.default(600),
  rewardTimeoutSeconds: positive.default(60),
  pauseTimeoutSeconds: positive.default(30),
  retries: countOrZero.default(2),
  maxFailures: share.default(0.25),
  maxReplaced: count.default(200),
});

/** Times are in seconds there, and in milliseconds in `SchedulerOptions`. */
export const schedulerSchema = fieldsSchema
  .refine(({ groupSize, minGroupSize = 1 }) => minGroupSize <= groupSize, {
    message: '"minGroupSize" is above "groupSize"',
  })
  .refine(({ groupSize, minGroupSize, requireSignal }) => {
    return !requireSignal || (groupSize > 1 && minGroupSize !== 1);
  }, '"requireSignal" takes groups of two or more')
  .transform(withDefaults);

function withDefaults({
  maxWaitSeconds,
  rolloutTimeoutSeconds,
  rewardTimeoutSeconds,
  pauseTimeoutSeconds,
  ...given
}: z.output<typeof fieldsSchema>): SchedulerOptions {
  const { groups, groupSize } = given;
  const requireSignal = given.requireSignal ?? groupSize > 1;
  const half = Math.ceil(groupSize / 2);
  return {
    ...given,
    requireSignal,
    minGroupSize: given.minGroupSize ?? (requireSignal ? Math.max(2, half) : half),
    groupsAhead: given.groupsAhead ?? Math.floor(groups / 2),
    maxWait: 1000 * maxWaitSeconds,
    rolloutTimeout: 1000 * rolloutTimeoutSeconds,
    rewardTimeout: 1000 * rewardTimeoutSeconds,
    pauseTimeout: 1000 * pauseTimeoutSeconds,
  };
}

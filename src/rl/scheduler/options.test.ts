import { expect, test } from 'vitest';
import { schedulerSchema } from './options.ts';

test('what is left out follows from the size of groups and batches', () => {
  expect(schedulerSchema.parse({ groups: 5, groupSize: 8 })).toMatchObject({
    ...{ minGroupSize: 4, requireSignal: true, groupsAhead: 2, rewardTimeout: 60_000 },
  });
  expect(schedulerSchema.parse({ groups: 1, groupSize: 2 })).toMatchObject({
    ...{ minGroupSize: 2, requireSignal: true, groupsAhead: 0 },
  });
  expect(schedulerSchema.parse({ groups: 4, groupSize: 1 })).toMatchObject({
    ...{ minGroupSize: 1, requireSignal: false },
  });
});

test.each([
  [{ minGroupSize: 5 }, '"minGroupSize" is above "groupSize"'],
  [{ groupSize: 1, requireSignal: true }, '"requireSignal" takes groups of two or more'],
  [{ minGroupSize: 1, requireSignal: true }, '"requireSignal" takes groups of two or more'],
  [{ maxCarriedShare: 1.5 }, 'must be 1 or less'],
  [{ rewardTimeoutSeconds: 0 }, 'must be more than 0'],
  [{ groups: 0 }, 'must be 1 or more'],
])('%j is refused', (changes, message) => {
  const { error } = schedulerSchema.safeParse({ groups: 4, groupSize: 4, ...changes });
  expect(error!.issues.map((issue) => issue.message).join()).toContain(message);
});

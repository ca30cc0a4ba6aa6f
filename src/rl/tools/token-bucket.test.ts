import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FakeClock } from '../../../test/rl/fake-clock.ts';
import { TokenBucket } from './token-bucket.ts';

async function timesOf(
  waits: readonly number[],
  perSecond: number,
  burst: number,
): Promise<number[]> {
  const clock = new FakeClock();
  const bucket = new TokenBucket(clock, { perSecond, burst });
  const times: number[] = [];
  const takes: Promise<void>[] = [];
  for (const wait of waits) {
    await clock.pass(wait);
    takes.push(bucket.take().then(() => void times.push(clock.now())));
  }
  await clock.until(Promise.all(takes));
  return times;
}

test('so many are let through at once, and the others one by one', async () => {
  expect(await timesOf([0, 0, 0, 0, 0], 2, 3)).toEqual([0, 0, 0, 500, 1000]);
});

test('what was not used is kept, but no more than a burst', async () => {
  expect(await timesOf([10_000, 0, 0, 0], 1, 2)).toEqual([10_000, 10_000, 11_000, 12_000]);
});

test('in no stretch of time are there more than the rate and a burst', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 20 }),
      fc.constantFrom(0.5, 3, 10),
      fc.integer({ min: 1, max: 4 }),
      async (waits, perSecond, burst) => {
        const times = await timesOf(waits, perSecond, burst);
        expect(times).toHaveLength(waits.length);
        times.forEach((begin, i) => {
          times.slice(i).forEach((end, n) => {
            expect(n + 1).toBeLessThanOrEqual(burst + ((end - begin) / 1000) * perSecond + 1e-3);
          });
        });
      },
    ),
  );
});

test('one that gives up takes nothing', async () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket(clock, { perSecond: 1, burst: 1 });
  await bucket.take();
  const controller = new AbortController();
  const gaveUp = bucket.take(controller.signal);
  const next = bucket.take();
  controller.abort(new Error('no more'));
  await expect(gaveUp).rejects.toThrow('no more');
  await clock.until(next);
  expect(clock.now()).toBe(1000);
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Allocator } from './allocator.ts';

/** Asks, and notes when it is served. */
function asker(allocator: Allocator) {
  const served: string[] = [];
  const releases = new Map<string, () => void>();
  return {
    served,
    async ask(name: string, needs: Record<string, number>, priority = 0): Promise<void> {
      releases.set(name, await allocator.acquire(needs, { priority }));
      served.push(name);
    },
    async release(name: string): Promise<void> {
      releases.get(name)!();
      await settled();
    },
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('resources', () => {
  test('are given first to the highest priority, then to who came first', async () => {
    const allocator = new Allocator({ places: 1 });
    const { ask, release, served } = asker(allocator);
    void ask('first', { places: 1 });
    void ask('low', { places: 1 }, -1);
    void ask('second', { places: 1 });
    void ask('third', { places: 1 });
    void ask('high', { places: 1 }, 1);
    await settled();
    for (const name of ['first', 'high', 'second', 'third', 'low']) {
      expect(served.at(-1)).toBe(name);
      await release(name);
    }
  });

  test('asked for in large amounts are not given to others meanwhile', async () => {
    const allocator = new Allocator({ memory: 10, other: 1 });
    const { ask, release, served } = asker(allocator);
    void ask('small', { memory: 4 });
    void ask('large', { memory: 10 });
    void ask('late', { memory: 1 });
    void ask('elsewhere', { other: 1 });
    await settled();
    expect(served).toEqual(['small', 'elsewhere']);
    await release('small');
    expect(served).toEqual(['small', 'elsewhere', 'large']);
    await release('large');
    expect(served.at(-1)).toBe('late');
  });

  test('that are no longer wanted go to the next', async () => {
    const allocator = new Allocator({ places: 1 });
    const { ask, release, served } = asker(allocator);
    await ask('first', { places: 1 });
    const controller = new AbortController();
    const gaveUp = allocator.acquire({ places: 1 }, { signal: controller.signal });
    void ask('next', { places: 1 });
    controller.abort(new Error('no more'));
    await expect(gaveUp).rejects.toThrow('no more');
    await release('first');
    expect(served).toEqual(['first', 'next']);
  });

  test.each([
    [{ memory: 2 }, 'shell needs 2 of "memory", of which there is 1'],
    [{ places: 1 }, 'shell needs 1 of "places", of which there is none'],
  ])('that there are not are refused: %j', (needs, message) => {
    expect(() => new Allocator({ memory: 1 }).check('shell', needs)).toThrow(message);
  });

  test('are never given twice, and all come back', async () => {
    const requests = fc.array(
      fc.record({
        needs: fc.record(
          { a: fc.integer({ min: 1, max: 3 }), b: fc.integer({ min: 1, max: 2 }) },
          { requiredKeys: [] },
        ),
        priority: fc.integer({ min: 0, max: 2 }),
        givesUp: fc.boolean(),
      }),
      { maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(requests, fc.infiniteStream(fc.nat()), async (asked, draws) => {
        const allocator = new Allocator({ a: 3, b: 2 });
        const held: (() => void)[] = [];
        let waiting = 0;
        for (const { needs, priority, givesUp } of asked) {
          const controller = new AbortController();
          waiting++;
          allocator
            .acquire(needs, { priority, signal: controller.signal })
            .then(
              (release) => held.push(release),
              () => {},
            )
            .finally(() => waiting--);
          if (givesUp) controller.abort();
          await settled();
          for (const { inUse, capacity } of Object.values(allocator.figures)) {
            expect(inUse).toBeLessThanOrEqual(capacity);
          }
        }
        while (held.length > 0) {
          const [release] = held.splice(draws.next().value % held.length, 1);
          release!();
          release!();
          await settled();
        }
        expect(waiting).toBe(0);
        expect(Object.values(allocator.figures).map(({ inUse }) => inUse)).toEqual([0, 0]);
      }),
      { numRuns: 50 },
    );
  });
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseGroups } from './choose-groups.ts';
import type { GroupState, SequenceState } from './state.ts';

/** @param versions of the tokens of each sequence */
function group(order: number, versions: readonly (readonly number[])[], source = 'a'): GroupState {
  const id = `${source}.${order}`;
  const sequences = versions.map((own, i): SequenceState => {
    const length = own.length;
    const trajectory = {
      ...{ id: `${id}.${i}`, group: id, domain: 'math', reward: 1, finish: 'stop' as const },
      ...{ tokens: new Int32Array(length), logprobs: new Float32Array(length), routes: null },
      ...{ sampled: new Uint8Array(length).fill(1), versions: Int32Array.from(own) },
    };
    const rest = { attempt: 0, failures: 0, restarts: 0, partial: null, response: null };
    return { id: `${id}.${i}`, stage: 'ready', trajectory, passed: true, ...rest };
  });
  return {
    id,
    source,
    index: order,
    cell: 'sums',
    order,
    isAccepted: true,
    batch: null,
    sequences,
  };
}

const choose = (ready: readonly GroupState[], groups: number, maxCarriedShare: number) =>
  chooseGroups(ready, {
    ...{ groups, maxCarriedShare, priorityOf: ({ source }) => (source === 'high' ? 1 : 0) },
  }).map(({ order }) => order);

test('the oldest tokens come first, then the highest priority, then what was begun first', () => {
  const ready = [group(0, [[3]]), group(1, [[2]]), group(2, [[3]], 'high'), group(3, [[3]])];
  expect(choose(ready, 3, 1)).toEqual([1, 2, 0]);
});

test('groups with more carried sequences than fit make way for others', () => {
  const carried = [1, 2];
  const ready = [group(0, [carried, carried]), group(1, [carried, [2]]), group(2, [[2], [2]])];
  expect(choose(ready, 2, 0.5)).toEqual([0, 2]);
  expect(choose(ready, 2, 0.25)).toEqual([1, 2]);
  expect(choose(ready, 2, 0)).toEqual([2]);
});

test('one group with many does not keep several with few out', () => {
  const ready = [
    group(0, [
      [0, 1],
      [0, 1],
      [0, 1],
    ]),
    ...[1, 2, 3].map((i) => group(i, [[1, 2], [2], [2]])),
  ];
  expect(choose(ready, 3, 1 / 3)).toEqual([1, 2, 3]);
});

test('a batch never holds more than the share, and is full whenever groups without any suffice', () => {
  const groups = fc.array(
    fc.array(fc.constantFrom([2], [1, 2], [0, 1]), { minLength: 1, maxLength: 4 }),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(
      groups,
      fc.integer({ min: 1, max: 4 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (given, size, share) => {
        const ready = given.map((versions, order) => group(order, versions));
        const isCarried = (versions: readonly number[]) => versions.length > 1;
        const chosen = choose(ready, size, share).map((order) => given[order]!);
        const carried = chosen.flat().filter(isCarried).length;
        expect(chosen.length).toBeLessThanOrEqual(size);
        expect(carried).toBeLessThanOrEqual(share * chosen.flat().length);
        const fresh = given.filter((versions) => !versions.some(isCarried));
        if (fresh.length >= size) expect(chosen).toHaveLength(size);
      },
    ),
  );
});

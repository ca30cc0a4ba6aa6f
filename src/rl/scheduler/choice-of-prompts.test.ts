/** Which prompts are asked: by what their groups give, and by the quotas of their sources. */
import { describe, expect, test } from 'vitest';
import { simulatedRun } from '../../../test/rl/simulated-run.ts';
import { scheduledSource, simulatedPrompts } from '../../../test/rl/simulation.ts';
import type { Sequence } from './types.ts';

const ALL_PASS = async () => ({ value: 1, passed: true, reason: 'right' });

describe('groups without signal', () => {
  test('are replaced, and the run goes on', async () => {
    // The first four groups all pass or all fail.
    const { next, scheduler } = await simulatedRun({
      options: { requireSignal: true },
      reward: async ({ group, id }) => {
        const number = Number(group.slice('sums.'.length));
        const passed = number < 4 ? number % 2 === 0 : id.endsWith('1');
        return { value: passed ? 1 : 0, passed, reason: '' };
      },
    });
    const { groups } = await next();
    for (const { id } of groups) expect(Number(id.slice(5))).toBeGreaterThanOrEqual(4);
    expect(scheduler.figures().sources.sums).toMatchObject({ tooEasy: 2, tooHard: 2 });
  });

  test('are passed over more and more often where their kind is known', async () => {
    const prompts = simulatedPrompts(2);
    const { next, advance, scheduler, sampled } = await simulatedRun({
      sources: [scheduledSource({ prompts })],
      options: { groups: 4, groupSize: 4, requireSignal: true },
      reward: async ({ prompt, id }) => {
        const passed = prompt.cell === 'cell 0' || id.endsWith('1');
        return { value: passed ? 1 : 0, passed, reason: '' };
      },
    });
    for (let version = 1; version <= 30; version++) {
      await next();
      advance(version);
    }
    const share = (sequences: readonly Sequence[]) =>
      sequences.filter(({ prompt }) => prompt.cell === 'cell 0').length / sequences.length;
    // Before any reward is known.
    expect(share(sampled.slice(0, 24))).toBe(0.5);
    expect(share(sampled.slice(-100))).toBeLessThan(0.25);
    const { sources, passRates } = scheduler.figures();
    expect(sources.sums!.skipped).toBeGreaterThan(10);
    expect(passRates['cell 0']!.rate).toBe(1);
    expect(passRates['cell 1']!.rate).toBeCloseTo(0.25, 1);
  });

  test('are passed over where half of a kind always pass and half never', async () => {
    const prompts = simulatedPrompts(2);
    const { next, advance, sampled } = await simulatedRun({
      sources: [scheduledSource({ prompts })],
      options: { groups: 4, groupSize: 4, requireSignal: true },
      reward: async ({ prompt, group, id }) => {
        // Of cell 0 by the prompt, of cell 1 by chance: half of the attempts pass either way.
        const isSure = Number(group.slice('sums.'.length)) % 4 < 2;
        const passed = prompt.cell === 'cell 0' ? isSure : Number(id.split('.').at(-1)) < 2;
        return { value: passed ? 1 : 0, passed, reason: '' };
      },
    });
    for (let version = 1; version <= 30; version++) {
      await next();
      advance(version);
    }
    const last = sampled.slice(-100);
    const share = last.filter(({ prompt }) => prompt.cell === 'cell 0').length / last.length;
    expect(share).toBeLessThan(0.25);
  });

  test('without end stop the run', async () => {
    const { next } = await simulatedRun({
      options: { requireSignal: true, maxReplaced: 20 },
      reward: ALL_PASS,
    });
    await expect(next()).rejects.toThrow(
      'the last 21 groups were of no use, more than maxReplaced (20) allows; so far sums: 21 tooEasy; choose other levels or a wider passRate',
    );
  });
});

describe('sources', () => {
  test('get their quotas of groups, and of those with room the first is that of priority', async () => {
    const { next, advance, scheduler } = await simulatedRun({
      sources: [
        scheduledSource({ name: 'sums', quota: 3 }),
        scheduledSource({ name: 'code', quota: 1, priority: 1 }),
      ],
      options: { groups: 4, groupsAhead: 0 },
    });
    const batches = [];
    for (let version = 1; version <= 5; version++) {
      batches.push(await next());
      advance(version);
    }
    for (const { groups } of batches) {
      expect(groups.filter(({ source }) => source === 'sums')).toHaveLength(3);
    }
    expect(scheduler.figures().sources).toMatchObject({ sums: { given: 15 }, code: { given: 5 } });
  });

  test('that give nothing of use do not keep the others from their turns', async () => {
    const { next, scheduler } = await simulatedRun({
      sources: [scheduledSource({ name: 'easy' }), scheduledSource({ name: 'fit' })],
      options: { groups: 4, requireSignal: true },
      reward: async ({ source, id }) => {
        const passed = source === 'easy' || id.endsWith('1');
        return { value: passed ? 1 : 0, passed, reason: '' };
      },
    });
    const { groups } = await next();
    expect(groups.map(({ source }) => source)).toEqual(['fit', 'fit', 'fit', 'fit']);
    expect(scheduler.figures().sources.easy!.tooEasy).toBeLessThan(20);
  });

  test('of higher priority are sampled first', async () => {
    const { next, sampled } = await simulatedRun({
      sources: [
        scheduledSource({ name: 'first', priority: 1 }),
        scheduledSource({ name: 'last', priority: -1 }),
      ],
      options: { groups: 4, concurrency: 2 },
    });
    await next();
    expect(sampled.slice(0, 4).map(({ source }) => source)).toEqual(Array(4).fill('first'));
  });
});

test.each([
  [[], {}, 'there are no sources of prompts'],
  [[scheduledSource(), scheduledSource()], {}, 'two sources are named sums'],
  [
    [scheduledSource({ passRate: [0.4, 0.45] })],
    {},
    'source sums: no group of 2 can have a passRate from 0.4 to 0.45',
  ],
  [
    [scheduledSource({ passRate: [0.9, 1] })],
    { requireSignal: true },
    'no group of 2 can have a passRate from 0.9 to 1 and a signal',
  ],
])('sources of no use are refused', async (sources, options, message) => {
  await expect(simulatedRun({ sources, options })).rejects.toThrow(message);
});

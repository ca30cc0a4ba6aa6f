import { describe, expect, test } from 'vitest';
import type { Variant } from './config.ts';
import { decodingFindings, pairFindings, type Trained } from './findings.ts';
import type { Stage } from './outcome.ts';

const stage = (loss: number, retrieval: number): Stage => ({
  loss,
  lossByLabel: {},
  curve: [],
  right: { retrieval },
});

/** Three seeds that differ a little. */
function trained(variant: Variant, loss: number, retrieval: number): Trained {
  const seeds = [-0.01, 0, 0.01].map((noise) => stage(loss + noise, retrieval + noise));
  return { variant, before: seeds, after: seeds };
}

const global: Variant = { name: 'all-global', window: null, sink: false };
const bare: Variant = { name: 'window-8', window: 8, sink: false };
const withSink: Variant = { name: 'window-8-sink', window: 8, sink: true };
const wide: Variant = { name: 'window-32-sink', window: 32, sink: true };
const verdicts = (runs: Trained[], claim: RegExp) =>
  pairFindings(runs)
    .filter((finding) => claim.test(finding.claim))
    .map(({ verdict }) => verdict);

describe('findings on attention', () => {
  test('a sink that helps is seen, and one that does not is not', () => {
    const poor = trained(bare, 2, 0.5);
    expect(verdicts([poor, trained(withSink, 1.5, 0.9)], /sink makes/)).toEqual(['holds', 'holds']);
    const none = 'not decided';
    expect(verdicts([poor, trained(withSink, 2, 0.5)], /sink makes/)).toEqual([none, none]);
    const worse = 'does not hold';
    expect(verdicts([poor, trained(withSink, 2.5, 0.5)], /sink makes/)).toEqual([worse, worse]);
  });

  test('windows are compared with all global, and with each other after extension', () => {
    const all = trained(global, 2, 0.9);
    const runs = [all, trained(withSink, 2, 0.9), trained(wide, 2, 0.4)];
    expect(verdicts(runs, /no worse/)).toEqual([
      'holds',
      'holds',
      'does not hold',
      'does not hold',
    ]);
    expect(verdicts(runs, /window of 128/)).toEqual(['holds']);
  });

  test('one seed decides nothing, and what nobody can do is not told', () => {
    const one = (variant: Variant, loss: number): Trained => {
      const stages = [stage(loss, 0)];
      return { variant, before: stages, after: stages };
    };
    const [finding] = pairFindings([one(bare, 3), one(withSink, 1)]);
    expect(finding).toMatchObject({ verdict: 'not decided' });
    expect(finding!.measured).toContain('held-out loss 1.000 and 3.000');
    expect(finding!.measured).not.toContain('retrieval');
  });

  test('memory is compared at the longest context', () => {
    const point = (context: number, cacheBytes: number) => ({
      context,
      cacheBytes,
      millisecondsPerToken: 1,
    });
    const [finding] = decodingFindings([
      { variant: global, contexts: [point(10, 100), point(1000, 12_000)] },
      { variant: withSink, contexts: [point(10, 100), point(1000, 2000)] },
    ]);
    expect(finding).toMatchObject({ verdict: 'holds' });
    expect(finding!.measured).toContain('6.0 times less at 1000 tokens: 2 kB and 12 kB');
  });
});

import { expect, test } from 'vitest';
import { GenerationStatistics } from './statistics.ts';

test('acceptance length and hit rates follow the accepted drafts', () => {
  const statistics = new GenerationStatistics();
  statistics.add({ tokens: [1], drafted: 0 });
  statistics.add({ tokens: [1, 2, 3, 4], drafted: 3 });
  statistics.add({ tokens: [1, 2], drafted: 3 });
  statistics.add({ tokens: [1], drafted: 3 });
  statistics.add({ tokens: [1], drafted: 1 });
  expect(statistics.tokens).toBe(9);
  expect(statistics.acceptanceLength).toBe(2);
  // Head 0 was asked four times and right twice; head 1 asked twice, right once; head 2 once, right.
  expect(statistics.hitRates).toEqual([0.5, 0.5, 1]);
});

test('without drafts there is no acceptance length', () => {
  const statistics = new GenerationStatistics();
  statistics.add({ tokens: [1], drafted: 0 });
  statistics.add({ tokens: [1], drafted: 0 });
  expect(statistics.acceptanceLength).toBeNull();
  expect(statistics.hitRates).toEqual([]);
});

import { describe, expect, test } from 'vitest';
import { Random } from '../random.ts';
import { DraftPolicy } from './draft-policy.ts';

/** A machine and a model: the time of a step, and how often each head is right. */
interface World {
  seconds: (rows: number) => number;
  hits: readonly number[];
}

const random = new Random('drafts');

/** Takes steps; → how often each number of drafts was chosen. */
function play(policy: DraftPolicy, sequences: number, steps: number, world: World): number[] {
  const counts = new Array(world.hits.length + 1).fill(0);
  for (let i = 0; i < steps; i++) {
    const drafts = policy.choose(sequences);
    counts[drafts]++;
    const accepted = Array.from({ length: sequences }, () => {
      let right = 0;
      while (right < drafts && random.chance(world.hits[right]!)) right++;
      return right;
    });
    const noise = 0.9 + 0.2 * random.uniform();
    policy.observe({ drafts, seconds: noise * world.seconds(sequences * (drafts + 1)), accepted });
  }
  return counts;
}

/** Rows cost nothing until there are 16 of them. */
const world: World = { seconds: (rows) => Math.max(16, rows), hits: [0.8, 0.7, 0.6] };

describe('drafts', () => {
  test('are many where rows cost nothing, none where each has its price', () => {
    const policy = new DraftPolicy(3);
    expect(play(policy, 1, 1000, world)[3]).toBeGreaterThan(900);
    expect(play(policy, 64, 1000, world)[0]).toBeGreaterThan(850);
    // Both are still known.
    expect(play(policy, 1, 200, world)[3]).toBeGreaterThan(180);
    expect(play(policy, 50, 200, world)[0]).toBeGreaterThan(180);
  });

  test('are as many as are often right', () => {
    const policy = new DraftPolicy(3);
    const oneIsRight = { seconds: (rows: number) => 4 + rows, hits: [0.95, 0.1, 0.1] };
    play(policy, 1, 300, oneIsRight);
    expect(play(policy, 1, 1000, oneIsRight)[1]).toBeGreaterThan(850);
  });

  test('follow a change of the text and of the machine', () => {
    const policy = new DraftPolicy(3);
    play(policy, 4, 500, world);
    const hard = { ...world, seconds: (rows: number) => 8 + rows, hits: [0.1, 0.1, 0.1] };
    play(policy, 4, 1000, hard);
    expect(play(policy, 4, 1000, hard)[0]).toBeGreaterThan(900);
    play(policy, 4, 2000, world);
    expect(play(policy, 4, 1000, world)[3]).toBeGreaterThan(900);
  });
});

test('without heads there is nothing to choose', () => {
  expect(play(new DraftPolicy(0), 3, 300, { ...world, hits: [] })).toEqual([300]);
});

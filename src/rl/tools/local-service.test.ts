import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../../test/rl/fake-clock.ts';
import { SequenceFailure } from '../sequence-failure.ts';
import { LocalToolbox } from './toolbox.ts';

describe('services', () => {
  function search(run: (input: string) => Promise<string>, retries = 1) {
    const clock = new FakeClock();
    const toolbox = new LocalToolbox({ places: 1 }, clock);
    const needs = { places: 1 };
    const service = toolbox.service({ name: 'search', needs, timeout: 1000, retries, run });
    return { clock, service, toolbox, figures: () => toolbox.figures().kinds.search! };
  }

  test('work, one at a time, and tell how long it took', async () => {
    const { clock, service, figures } = search(async (input) => {
      await clock.sleep(input === 'slow' ? 900 : 100);
      return `${input} found`;
    });
    const answers = ['a', 'slow', 'b'].map((input) => service.run(input));
    expect(await clock.until(Promise.all(answers))).toEqual(['a found', 'slow found', 'b found']);
    expect(clock.now()).toBe(1100);
    expect(figures()).toMatchObject({ calls: 3, latency: { median: 100, percentile95: 900 } });
  });

  test('are tried again', async () => {
    let tried = 0;
    const { clock, service, figures } = search(async () => {
      if (++tried === 1) throw new Error('unreachable');
      return 'found';
    });
    expect(await clock.until(service.run('x'))).toBe('found');
    expect(figures()).toMatchObject({ failures: 1, restarts: 1 });
  });

  test.each([
    ['hang', () => new Promise<never>(() => {}), { kind: 'tool-timeout' }],
    ['throw', () => Promise.reject(new Error('x')), { kind: 'tool', message: 'search: x' }],
  ])('that %s fail the sequence, and serve the next', async (_, spoil, failure) => {
    const { clock, service, toolbox } = search((input) =>
      input === 'bad' ? spoil() : Promise.resolve('found'),
    );
    const bad = service.run('bad');
    const good = service.run('good');
    await expect(clock.until(bad)).rejects.toMatchObject(failure);
    expect(await clock.until(good)).toBe('found');
    expect(toolbox.figures().resources.places!.inUse).toBe(0);
  });

  test('that say themselves what failed are not asked again', async () => {
    let tried = 0;
    const { clock, service } = search(async () => {
      tried++;
      throw new SequenceFailure('judge', 'no key');
    });
    await expect(clock.until(service.run('x'))).rejects.toMatchObject({ kind: 'judge' });
    expect(tried).toBe(1);
  });
});

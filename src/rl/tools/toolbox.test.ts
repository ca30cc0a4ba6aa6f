import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../../test/rl/fake-clock.ts';
import { Random } from '../../random.ts';
import { FAMILIES, generateProblem, play } from '../../tasks/index.ts';
import { SequenceFailure } from '../sequence-failure.ts';
import { problemTools } from './problem-tools.ts';
import { LocalToolbox } from './toolbox.ts';
import type { Environment, EnvironmentKind } from './types.ts';

const call = (name: string) => ({ name, arguments: {} });

/** Opens in 100 ms; `wait` hangs, `break` throws, anything else is counted. */
function counters(clock: FakeClock, given: Partial<EnvironmentKind<string>> = {}) {
  const opened: string[] = [];
  let open = 0;
  const kind: EnvironmentKind<string> = {
    name: 'counter',
    key: (spec) => spec,
    ...{ needs: { places: 1 }, openTimeout: 1000, callTimeout: 1000, restarts: 1, replays: true },
    async open(spec) {
      await clock.sleep(100);
      opened.push(spec);
      open++;
      const number = opened.length;
      const names: string[] = [];
      return {
        finished: false,
        async call({ name }) {
          if (name === 'hang') return new Promise<never>(() => {});
          if (name === 'hang once' && number === 1) return new Promise<never>(() => {});
          if (name === 'throw') throw new Error('the pipe is broken');
          if (name === 'mute') return undefined as never;
          names.push(name);
          return names.join(' ');
        },
        async close() {
          open--;
        },
      } satisfies Environment;
    },
    ...given,
  };
  return { kind, opened, isOpen: () => open };
}

function setUp(places: number, given: Partial<EnvironmentKind<string>> = {}) {
  const clock = new FakeClock();
  const toolbox = new LocalToolbox({ places }, clock);
  const { kind, opened, isOpen } = counters(clock, given);
  const pool = toolbox.environments(kind);
  const figures = () => toolbox.figures().kinds.counter!;
  return { clock, toolbox, pool, opened, isOpen, figures };
}

describe('environments', () => {
  test('keep what calls leave behind, each its own', async () => {
    const { clock, pool, figures, isOpen } = setUp(2);
    const [a, b] = await clock.until(Promise.all([pool.open('x'), pool.open('x')]));
    expect(await clock.until(a.call(call('one')))).toBe('one');
    expect(await clock.until(a.call(call('two')))).toBe('one two');
    expect(await clock.until(b.call(call('three')))).toBe('three');
    expect(figures()).toMatchObject({ inUse: 2, opened: 2, calls: 3 });
    await clock.until(Promise.all([a.close(), b.close(), a.close()]));
    expect(figures()).toMatchObject({ inUse: 0 });
    expect(isOpen()).toBe(0);
  });

  test('are no more than there are resources for', async () => {
    const { clock, toolbox, pool, figures } = setUp(1);
    const a = await clock.until(pool.open('x'));
    const b = pool.open('x');
    await clock.pass(10_000);
    expect(figures()).toMatchObject({ inUse: 1, waiting: 1 });
    expect(toolbox.figures().resources).toEqual({ places: { capacity: 1, inUse: 1 } });
    await a.close();
    await clock.until(b);
    expect(figures()).toMatchObject({ inUse: 1, waiting: 0 });
  });

  test('that are warm are there at once, and followed by others', async () => {
    const { clock, pool, figures } = setUp(3);
    pool.keepWarm('x', 2);
    await clock.pass(100);
    expect(figures()).toMatchObject({ warm: 2, inUse: 0 });
    const at = clock.now();
    await clock.until(pool.open('x'));
    expect(clock.now()).toBe(at);
    expect(figures()).toMatchObject({ openedWarm: 1, opened: 1 });
    await clock.pass(100);
    expect(figures()).toMatchObject({ warm: 2 });
    pool.keepWarm('x', 0);
    await clock.pass(1);
    expect(figures()).toMatchObject({ warm: 0, inUse: 1 });
  });

  test('that are warm give way to what is asked for, and come back', async () => {
    const { clock, pool, figures, opened, toolbox } = setUp(1);
    pool.keepWarm('x', 1);
    await clock.pass(100);
    const other = await clock.until(pool.open('y'));
    expect(opened).toEqual(['x', 'y']);
    expect(figures()).toMatchObject({ warm: 0, inUse: 1 });
    await other.close();
    await clock.pass(100);
    expect(figures()).toMatchObject({ warm: 1, inUse: 0 });
    await clock.until(toolbox.close());
    expect(toolbox.figures().resources.places!.inUse).toBe(0);
  });

  test('that are being warmed up go to the first who asks', async () => {
    const { clock, pool, figures, opened } = setUp(1);
    pool.keepWarm('x', 1);
    await clock.pass(60);
    await clock.until(pool.open('x'));
    expect(clock.now()).toBe(100);
    expect(opened).toEqual(['x']);
    expect(figures()).toMatchObject({ openedWarm: 1, inUse: 1 });
  });

  test('that are being warmed up give way when somebody waits for their place', async () => {
    const { clock, pool, figures, isOpen } = setUp(1);
    pool.keepWarm('x', 1);
    await clock.pass(60);
    await clock.until(pool.open('y'));
    expect(clock.now()).toBe(200);
    expect(figures()).toMatchObject({ warm: 0, inUse: 1 });
    expect(isOpen()).toBe(1);
  });

  test('that hang are replaced by another in which the calls so far are made again', async () => {
    const { clock, pool, figures, isOpen } = setUp(1);
    const environment = await clock.until(pool.open('x'));
    await clock.until(environment.call(call('one')));
    expect(await clock.until(environment.call(call('hang once')))).toBe('one hang once');
    expect(figures()).toMatchObject({ timeouts: 1, restarts: 1, inUse: 1 });
    expect(isOpen()).toBe(1);
  });

  test.each([
    ['hang', 'tool-timeout', 'counter did not answer in 1 s'],
    ['throw', 'tool', 'counter: the pipe is broken'],
    ['mute', 'tool', 'counter: it gave undefined where text was expected'],
  ])('whose calls %s every time fail the sequence', async (name, kind, message) => {
    const { clock, pool, figures, toolbox } = setUp(1);
    const environment = await clock.until(pool.open('x'));
    const failed = await clock.until(environment.call(call(name)).catch((error) => error));
    expect(failed).toBeInstanceOf(SequenceFailure);
    expect(failed).toMatchObject({ kind, message });
    await expect(clock.until(environment.call(call('one')))).rejects.toBe(failed);
    expect(figures()).toMatchObject({ restarts: 1, timeouts: name === 'hang' ? 2 : 0 });
    await clock.until(environment.close());
    expect(toolbox.figures().resources.places!.inUse).toBe(0);
  });

  test('whose state cannot be had again fail with the first call that does', async () => {
    const { clock, pool, figures } = setUp(1, { replays: false, restarts: 3 });
    const environment = await clock.until(pool.open('x'));
    await clock.until(environment.call(call('one')));
    await expect(clock.until(environment.call(call('throw')))).rejects.toThrow('broken');
    expect(figures().restarts).toBe(0);
    const unused = pool.open('x');
    await environment.close();
    // Nothing has happened in it yet, so another is as good.
    await expect(clock.until((await clock.until(unused)).call(call('throw')))).rejects.toThrow(
      'broken',
    );
    expect(figures().restarts).toBe(3);
  });

  test('that do not open are tried again, and give their resources back', async () => {
    let tried = 0;
    const { clock, pool, figures, toolbox } = setUp(1, {
      open: async () => {
        tried++;
        throw new Error('no image');
      },
    });
    await expect(clock.until(pool.open('x'))).rejects.toThrow('opening counter: no image');
    expect(tried).toBe(2);
    expect(figures()).toMatchObject({ failures: 2, restarts: 1, inUse: 0 });
    expect(toolbox.figures().resources.places!.inUse).toBe(0);
  });

  test('that open too late are closed again', async () => {
    const clock = new FakeClock();
    const toolbox = new LocalToolbox({ places: 1 }, clock);
    const { kind, isOpen } = counters(clock, { openTimeout: 50, restarts: 0 });
    const pool = toolbox.environments(kind);
    await expect(clock.until(pool.open('x'))).rejects.toMatchObject({ kind: 'tool-timeout' });
    await clock.pass(100);
    expect(isOpen()).toBe(0);
  });

  test.each([
    'warm',
    'in use',
  ])('that do not close give their resources back all the same: %s', async (which) => {
    const { clock, pool, toolbox } = setUp(1, {
      open: async () => ({
        ...{ finished: false, call: async () => '' },
        close: () => new Promise<never>(() => {}),
      }),
    });
    if (which === 'warm') pool.keepWarm('x', 1);
    else await clock.until(pool.open('x'));
    await clock.pass(1);
    expect(toolbox.figures().resources.places!.inUse).toBe(1);
    await clock.until(toolbox.close());
    expect(toolbox.figures().resources.places!.inUse).toBe(0);
  });

  test('that are closed during a call leave nothing open', async () => {
    const { clock, pool, isOpen, toolbox } = setUp(1);
    const environment = await clock.until(pool.open('x'));
    const failed = environment.call(call('throw')).catch((error) => error);
    await clock.pass(50);
    await clock.until(environment.close());
    expect(await clock.until(failed)).toBeInstanceOf(Error);
    expect(isOpen()).toBe(0);
    expect(toolbox.figures().resources.places!.inUse).toBe(0);
  });

  test('are called no more often than their rate allows', async () => {
    const { clock, pool } = setUp(2, { rate: { perSecond: 2, burst: 1 } });
    const [a, b] = await clock.until(Promise.all([pool.open('x'), pool.open('x')]));
    const begin = clock.now();
    await clock.until(Promise.all([a, b, a, b].map((one) => one.call(call('one')))));
    expect(clock.now() - begin).toBe(1500);
  });

  test('stop waiting when they are told to', async () => {
    const { clock, pool, figures } = setUp(1);
    const environment = await clock.until(pool.open('x'));
    const controller = new AbortController();
    const { signal } = controller;
    const opening = pool.open('y', { signal });
    const calling = environment.call(call('hang'), signal);
    await clock.pass(10);
    controller.abort(new Error('stopped'));
    await expect(opening).rejects.toThrow('stopped');
    await expect(calling).rejects.toThrow('stopped');
    expect(figures()).toMatchObject({ failures: 0, timeouts: 0, waiting: 0 });
  });

  test('are closed with the toolbox, and who waits is refused', async () => {
    const { clock, pool, toolbox, isOpen } = setUp(2);
    pool.keepWarm('warm', 1);
    await clock.until(pool.open('x'));
    await clock.pass(100);
    const service = toolbox.service({
      ...{ name: 'search', needs: { places: 2 }, timeout: 1000, retries: 0 },
      run: async () => 'found',
    });
    const waiting = service.run('x').catch((error) => error);
    await clock.until(toolbox.close());
    expect(isOpen()).toBe(0);
    expect(await waiting).toMatchObject({ message: 'the toolbox is closed' });
    await expect(pool.open('x')).rejects.toThrow('the toolbox is closed');
  });

  test('that need more than there is are refused at once', () => {
    const toolbox = new LocalToolbox({ places: 1 }, new FakeClock());
    const { kind } = counters(new FakeClock(), { needs: { places: 2 } });
    expect(() => toolbox.environments(kind)).toThrow('counter needs 2 of "places"');
  });
});

test('a problem of the task families is played through the toolbox as without', async () => {
  const toolbox = new LocalToolbox({});
  const pool = toolbox.environments(problemTools());
  const shell = FAMILIES.find(({ name }) => name === 'shell')!;
  const options = { language: 'en', level: 'medium', thinking: false } as const;
  const problem = generateProblem(shell, new Random(3), 'train', options);
  const environment = await pool.open({ sequence: 'a.0.0', problem });
  const turns = problem.solution.filter(({ role }) => role === 'assistant');
  const response = await play(
    { ...problem, openTools: () => environment },
    async () => turns.shift()!,
  );
  expect(environment.finished).toBe(true);
  expect(await problem.verify(response)).toMatchObject({ correct: true });
  expect(response).toEqual(problem.solution.slice(0, response.length));
  await toolbox.close();
});

import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createReferenceDevice } from '../device/reference/device.ts';
import type { Experiment } from './experiment.ts';
import { type LabOptions, runExperiment } from './run-experiment.ts';

let folder: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(join(os.tmpdir(), 'lab-'));
});
afterEach(() => fs.rm(folder, { recursive: true }));

interface SquaresConfig {
  numbers: number[];
  factor: number;
}

/** Jobs that were run, in their order. */
let ran: string[] = [];
beforeEach(() => {
  ran = [];
});

const squares: Experiment<SquaresConfig, number> = {
  name: 'squares',
  description: 'squares of numbers',
  schema: z.strictObject({ numbers: z.array(z.number()), factor: z.number() }),
  jobs: ({ numbers, factor }) =>
    numbers.map((number) => ({
      name: `square-${number}`,
      settings: { number, factor },
      isTimed: number === 0,
      run: async ({ signal }) => {
        ran.push(`square-${number}`);
        if (number === 13) throw new Error('unlucky');
        signal.throwIfAborted();
        return number * number * factor;
      },
    })),
  report: (_, outcomes) => ({
    title: 'Squares',
    method: 'They were multiplied.',
    findings: [
      { claim: 'squares | grow', measured: String([...outcomes.values()]), verdict: 'holds' },
    ],
    sections: [
      {
        heading: 'All',
        text: 'As a line.',
        plots: [
          {
            name: 'squares-line',
            plot: {
              title: 'Squares',
              x: { label: 'n' },
              y: { label: 'n²' },
              series: [{ name: 'squares', points: [...outcomes.values()].map((y, x) => [x, y]) }],
            },
          },
        ],
      },
    ],
  }),
};

async function run(config: object, changes: Partial<LabOptions> = {}) {
  const configPath = join(folder, 'squares.json');
  await fs.writeFile(configPath, JSON.stringify(config));
  return runExperiment(squares, {
    device: createReferenceDevice(),
    configPath,
    quick: false,
    output: join(folder, 'out'),
    reports: join(folder, 'reports'),
    signal: new AbortController().signal,
    progress: () => {},
    ...changes,
  });
}

const config = { numbers: [1, 2, 3, 0], factor: 1, quick: { numbers: [5] } };

describe('an experiment', () => {
  test('runs its jobs once, and writes a report with its numbers and plots', async () => {
    const end = await run(config);
    expect(end).toEqual({ state: 'reported', path: join(folder, 'reports', 'squares.md') });
    const text = await fs.readFile(join(folder, 'reports', 'squares.md'), 'utf8');
    expect(text).toContain('# Squares\n\n    mimoflash lab squares\n');
    expect(text).toContain('| squares \\| grow | 1,4,9,0 | holds |');
    expect(text).toContain('![Squares](squares-line.svg)');
    expect(await fs.readdir(join(folder, 'reports'))).toEqual([
      'squares-line.svg',
      'squares.json',
      'squares.md',
    ]);
    const json = JSON.parse(await fs.readFile(join(folder, 'reports', 'squares.json'), 'utf8'));
    expect(json.outcomes).toEqual({ 'square-1': 1, 'square-2': 4, 'square-3': 9, 'square-0': 0 });
    await run(config);
    expect(ran).toHaveLength(4);
  });

  test('of which a job fails goes on with the others’ outcomes', async () => {
    await expect(run({ numbers: [1, 13], factor: 1 })).rejects.toThrow('unlucky');
    expect(await run({ numbers: [1], factor: 1 })).toMatchObject({ state: 'reported' });
    expect(ran).toEqual(['square-1', 'square-13']);
  });

  test('can be run in parts, which leave what is timed and the report to a run of all', async () => {
    const first = await run(config, { part: { number: 1, of: 2 } });
    expect(first).toEqual({ state: 'part done', missing: ['square-2', 'square-0'] });
    const second = await run(config, { part: { number: 2, of: 2 } });
    expect(second).toEqual({ state: 'part done', missing: ['square-0'] });
    expect(await run(config)).toMatchObject({ state: 'reported' });
    expect(ran).toEqual(['square-1', 'square-3', 'square-2', 'square-0']);
  });

  test('does not take outcomes of other settings', async () => {
    await run(config);
    await expect(run({ ...config, factor: 2 })).rejects.toThrow(
      /square-1\.json: was made with other settings; put the config back/,
    );
  });

  test('lays "quick" over its config', async () => {
    await run(config, { quick: true });
    expect(ran).toEqual(['square-5']);
    await expect(run({ numbers: [1], factor: 1 }, { quick: true })).rejects.toThrow(
      'has no "quick"',
    );
  });

  test('may extend other configs of its folder, which "quick" then changes', async () => {
    await fs.writeFile(join(folder, 'base.json'), JSON.stringify({ factor: 3, numbers: [7] }));
    const extended = { extends: 'base.json', numbers: [1, 2], quick: { numbers: [4] } };
    const end = await run(extended, { quick: true });
    expect(end.state).toBe('reported');
    const json = JSON.parse(await fs.readFile(join(folder, 'reports', 'squares.json'), 'utf8'));
    expect(json.outcomes).toEqual({ 'square-4': 48 });
    expect(json.config).toEqual({ factor: 3, numbers: [4] });
    await expect(run({ extends: 'none.json' })).rejects.toThrow(/cannot read .*none\.json/);
  });

  test('that is stopped says so', async () => {
    const stop = new AbortController();
    stop.abort();
    expect(await run(config, { signal: stop.signal })).toEqual({ state: 'stopped' });
    expect(ran).toEqual([]);
  });

  test('names what is wrong with its config', async () => {
    await expect(run({ numbers: [1] })).rejects.toThrow(/squares\.json: factor is missing$/);
    await expect(run({ numbers: [1], factor: 1, more: 2 })).rejects.toThrow('more is not known');
    await expect(run([])).rejects.toThrow('must be a JSON object');
  });
});

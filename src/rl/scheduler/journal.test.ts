import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SchedulerEvent } from './events.ts';
import { JournalFile } from './journal.ts';
import { newSummary } from './state.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await fs.mkdtemp(join(os.tmpdir(), 'journal-'));
  path = join(directory, 'scheduler.jsonl');
});
afterEach(() => fs.rm(directory, { recursive: true, force: true }));

const arrays = {
  tokens: Int32Array.of(1, 2 ** 31 - 1),
  sampled: Uint8Array.of(0, 1),
  logprobs: Float32Array.of(0, -0.1),
  versions: Int32Array.of(-1, 7),
};
const trajectory = {
  ...{ id: 'a.0.0', group: 'a.0', domain: 'math', reward: null, finish: 'length' as const },
  ...arrays,
  routes: { layers: 1, perToken: 2, experts: Uint8Array.of(255, 3) },
};
const EVENTS: SchedulerEvent[] = [
  { type: 'state', summary: newSummary(1, { a: 'x' }) },
  { type: 'begun', source: 'a', index: 0, cell: 'sums', skipped: 2, size: 1 },
  {
    type: 'paused',
    sequence: 'a.0.0',
    partial: {
      ...arrays,
      routes: { layers: 1, perToken: 1, experts: Uint16Array.of(300) },
      // Nothing in what a rollout keeps is taken for anything else.
      state: { tokens: 'AAAA', type: 'kept', text: 'two\nlines \u2028 ü' },
    },
  },
  {
    type: 'finished',
    sequence: 'a.0.0',
    trajectory,
    response: [{ role: 'assistant', content: '42' }],
  },
  {
    type: 'kept',
    group: {
      ...{ id: 'a.1', source: 'a', index: 1, cell: 'sums', order: 1, isAccepted: true, batch: 3 },
      sequences: [
        {
          ...{ id: 'a.1.0', attempt: 0, failures: 0, restarts: 0, stage: 'ready' },
          ...{ partial: null, trajectory, response: null, passed: true },
        },
      ],
    },
  },
];

async function readAll(journal = new JournalFile(path)): Promise<SchedulerEvent[]> {
  const events: SchedulerEvent[] = [];
  for await (const event of journal.read()) events.push(event);
  return events;
}

async function write(events: readonly SchedulerEvent[]): Promise<void> {
  const journal = new JournalFile(path);
  await readAll(journal);
  for (const event of events) journal.append(event);
  await journal.close();
}

describe('a journal', () => {
  test('gives back what was written, whatever it holds', async () => {
    await write(EVENTS);
    expect(await readAll()).toEqual(EVENTS);
  });

  test('goes on behind what is there', async () => {
    await write(EVENTS.slice(0, 2));
    await write(EVENTS.slice(2));
    expect(await readAll()).toEqual(EVENTS);
  });

  test('that is not there is empty', async () => {
    expect(await readAll()).toEqual([]);
  });

  test('is whole up to the last line that is, wherever a kill cut it off', async () => {
    await write(EVENTS);
    const bytes = await fs.readFile(path);
    const ends = [...bytes].flatMap((byte, i) => (byte === 10 ? [i + 1] : []));
    for (let length = 0; length <= bytes.length; length += 7) {
      await fs.writeFile(path, bytes.subarray(0, length));
      const whole = ends.filter((end) => end <= length).length;
      await write([EVENTS[1]!]);
      expect(await readAll()).toEqual([...EVENTS.slice(0, whole), EVENTS[1]]);
    }
  });

  test('that is damaged elsewhere says where, and what to do', async () => {
    await write(EVENTS);
    const text = await fs.readFile(path, 'utf8');
    await fs.writeFile(path, text.replace('"type":"begun"', '"type":"begun'));
    await expect(readAll()).rejects.toThrow(
      `${path}:2: is damaged; remove the file to go on without what was sampled`,
    );
  });

  test('is written anew in one step, and then goes on', async () => {
    const journal = new JournalFile(path);
    for (const event of EVENTS) journal.append(event);
    const rewritten = journal.rewrite(EVENTS.slice(0, 1));
    journal.append(EVENTS[1]!);
    await rewritten;
    await journal.close();
    expect(await readAll()).toEqual(EVENTS.slice(0, 2));
    expect(await fs.readdir(directory)).toEqual(['scheduler.jsonl']);
  });

  test('that cannot be written says so when it is flushed', async () => {
    await fs.mkdir(path);
    const journal = new JournalFile(path);
    journal.append(EVENTS[0]!);
    await expect(journal.flush()).rejects.toThrow(`cannot write ${path}`);
    await expect(journal.flush()).rejects.toThrow(`cannot write ${path}`);
  });

  test('takes nothing that is no JSON', () => {
    const partial = { ...arrays, routes: null, state: { n: 1n } };
    const event: SchedulerEvent = { type: 'paused', sequence: 'a.0.0', partial };
    expect(() => new JournalFile(path).append(event)).toThrow(TypeError);
  });
});

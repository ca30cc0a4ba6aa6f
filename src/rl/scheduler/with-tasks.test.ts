/** Scheduler, journal, toolbox, threads and task families together, with a policy that knows every other answer. */
import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { schedulerOptions } from '../../../test/rl/simulation.ts';
import { Random } from '../../random.ts';
import { play } from '../../tasks/index.ts';
import type { ChatMessage } from '../../text/chat-messages.ts';
import { ProgramThreads } from '../programs/program-threads.ts';
import { openPrompts } from '../prompts/open-prompts.ts';
import { promptSourceSchema } from '../prompts/source-config.ts';
import { outcomeReward } from '../reward.ts';
import { problemTools } from '../tools/problem-tools.ts';
import { LocalToolbox } from '../tools/toolbox.ts';
import { TrajectoryBuilder } from '../trajectory.ts';
import { JournalFile } from './journal.ts';
import { SequenceScheduler } from './scheduler.ts';
import type { Rollout } from './types.ts';

const SOURCES = [
  { name: 'shell', domain: 'shell', families: { shell: 1 }, maxTokens: 5000 },
  { name: 'sums', domain: 'math', families: { equations: 1 }, maxTokens: 5000 },
];

test('a run over task families with tools goes on after it was closed', async () => {
  const directory = await fs.mkdtemp(join(os.tmpdir(), 'scheduler-'));
  try {
    const before = await run(directory, 0, 3);
    expect(before.batches.map(({ number }) => number)).toEqual([1, 2, 3]);
    for (const { groups } of before.batches) {
      expect(new Set(groups.map(({ domain }) => domain))).toEqual(new Set(['math', 'shell']));
      for (const { trajectories } of groups) {
        expect(new Set(trajectories.map(({ reward }) => reward))).toEqual(new Set([0, 1]));
      }
    }
    expect(before.tools.opened).toBeGreaterThan(10);
    expect(before.tools.inUse).toBe(0);
    const after = await run(directory, 2, 4);
    expect(after.batches.map(({ number }) => number)).toEqual([3, 4]);
    expect(after.batches[0]!.groups.map(({ trajectories }) => trajectories)).toEqual(
      before.batches[2]!.groups.map(({ trajectories }) => trajectories),
    );
  } finally {
    await fs.rm(directory, { recursive: true });
  }
});

/** Trains on batches up to `last`; the checkpoint is always one behind. */
async function run(directory: string, trained: number, last: number) {
  const configs = SOURCES.map((source) => promptSourceSchema.parse(source));
  const threads = new ProgramThreads({ threads: 1, verifyTimeout: 30_000, callTimeout: 10_000 });
  const toolbox = new LocalToolbox({ shells: 2 });
  const tools = toolbox.environments(problemTools({ needs: { shells: 1 } }));
  const rollout: Rollout = async ({ id, group, domain, seed, prompt: { problem } }, signal) => {
    const environment = problem.openTools
      ? await tools.open({ sequence: id, problem }, { signal })
      : null;
    const isRight = new Random(seed).chance(0.5);
    const turns = problem.solution.filter(({ role }) => role === 'assistant');
    const reply = async () => (isRight && turns.shift()) || { role: 'assistant', content: 'no' };
    try {
      const { openTools, ...toolless } = problem;
      const played = environment ? { ...toolless, openTools: () => environment } : toolless;
      const response = await play(played, reply);
      const trajectory = written(problem.messages, response).finish({
        ...{ id, group, domain, reward: null, finish: 'stop' },
      });
      return { status: 'finished', trajectory, response };
    } finally {
      await environment?.close();
    }
  };
  const scheduler = await SequenceScheduler.open({
    sources: await openPrompts(configs, {
      ...{ split: 'train', seed: 1, directory, hasJudge: false, threads },
    }),
    options: schedulerOptions({ groups: 4, groupSize: 4, requireSignal: true }),
    ...{ rollout, reward: outcomeReward(null), trained },
    journal: new JournalFile(join(directory, 'scheduler.jsonl')),
  });
  const batches = [];
  for (let number = trained + 1; number <= last; number++) {
    const batch = await scheduler.next();
    batches.push(batch);
    scheduler.advance(batch.number);
    await scheduler.commit(batch.number - 1);
  }
  await scheduler.close();
  const figures = toolbox.figures().kinds['problem-tools']!;
  await toolbox.close();
  await threads.close();
  return { batches, tools: figures };
}

/** A character a token. */
function written(
  prompt: readonly ChatMessage[],
  response: readonly ChatMessage[],
): TrajectoryBuilder {
  const builder = new TrajectoryBuilder(null);
  const tokens = (message: ChatMessage) =>
    [...JSON.stringify(message)].map((c) => c.codePointAt(0)!);
  for (const message of prompt) builder.appendGiven(tokens(message));
  for (const message of response) {
    const own = tokens(message);
    if (message.role === 'assistant')
      builder.appendSampled(
        own,
        own.map(() => -1),
        0,
      );
    else builder.appendGiven(own);
  }
  return builder;
}

/** Opens sources of prompts as a run's config names them. */
import { join } from 'node:path';
import { mixtureFrom } from '../../data/open-sources.ts';
import type { Split } from '../../tasks/index.ts';
import { sentMixture, type TaskPromptsReference } from '../programs/messages.ts';
import type { ProgramThreads } from '../programs/program-threads.ts';
import type { PromptSource, ScheduledSource } from '../scheduler/types.ts';
import { rowPrompts } from './row-prompts.ts';
import type { PromptSourceConfig } from './source-config.ts';
import { taskPrompts } from './task-prompts.ts';

export interface OpenPromptsOptions {
  /** What to learn from, or what is held out. */
  split: Split;
  seed: number;
  /** Of the run, for lists of malformed rows. */
  directory: string;
  /** Whether the run has a judge; rows with a rubric take one. */
  hasJudge: boolean;
  /** Counts tokens of long prompts; left out, an estimate. */
  countTokens?: (text: string) => number;
  /** Where programs of the task families run; left out, in this thread. */
  threads?: ProgramThreads;
}

/** @throws UserError if a file cannot be read, has too many malformed rows, or nothing of the split */
export async function openPrompts(
  configs: readonly PromptSourceConfig[],
  options: OpenPromptsOptions,
): Promise<ScheduledSource[]> {
  const open = async (config: PromptSourceConfig): Promise<ScheduledSource> => {
    const { name, domain, quota, priority, maxTokens, temperature, passRate } = config;
    const prompts = await promptsOf(config, options);
    return { name, domain, prompts, quota, priority, maxTokens, temperature, passRate };
  };
  return Promise.all(configs.map(open));
}

async function promptsOf(
  config: PromptSourceConfig,
  { split, seed: runSeed, directory, hasJudge, countTokens, threads }: OpenPromptsOptions,
): Promise<PromptSource> {
  const { name, prompts: path, rubric, maxMalformed } = config;
  // Sources of the same families are to give other problems.
  const seed = `${runSeed} ${name}`;
  const mixture = mixtureFrom(config);
  if (path === undefined) {
    const counted = { ...mixture, ...(countTokens && { countTokens }) };
    const prompts = taskPrompts(seed, split, counted);
    return threads
      ? inThreads(prompts, threads, { seed, split, mixture: sentMixture(mixture) })
      : prompts;
  }
  const logPath = join(directory, `malformed-${name.replaceAll(/[^\w-]/g, '_')}.jsonl`);
  const { thinking } = mixture;
  const options = { name, path, seed, split, thinking, rubric, hasJudge, maxMalformed, logPath };
  return rowPrompts(options);
}

function inThreads(
  source: PromptSource,
  threads: ProgramThreads,
  prompts: TaskPromptsReference,
): PromptSource {
  return {
    fingerprint: source.fingerprint,
    async prompt(index) {
      const made = await source.prompt(index);
      return { ...made, problem: threads.problem(made.problem, { prompts, index }) };
    },
  };
}

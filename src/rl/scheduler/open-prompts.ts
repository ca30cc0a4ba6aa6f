/** Opens sources of prompts as a run's config names them. */
import { join } from 'node:path';
import { mixtureFrom } from '../../data/open-sources.ts';
import { rowPrompts } from './row-prompts.ts';
import type { PromptSourceConfig } from './source-config.ts';
import { taskPrompts } from './task-prompts.ts';
import type { PromptSource, ScheduledSource } from './types.ts';

export interface OpenPromptsOptions {
  seed: number;
  /** Of the run, for lists of malformed rows. */
  directory: string;
  /** Counts tokens of long prompts; left out, an estimate. */
  countTokens?: (text: string) => number;
}

/** @throws UserError if a file cannot be read or has too many malformed rows */
export async function openPrompts(
  configs: readonly PromptSourceConfig[],
  options: OpenPromptsOptions,
): Promise<ScheduledSource[]> {
  const sources: ScheduledSource[] = [];
  for (const config of configs) {
    const { name, domain, quota, priority, maxTokens, temperature, passRate } = config;
    const prompts = await promptsOf(config, options);
    sources.push({ name, domain, prompts, quota, priority, maxTokens, temperature, passRate });
  }
  return sources;
}

async function promptsOf(
  config: PromptSourceConfig,
  { seed: runSeed, directory, countTokens }: OpenPromptsOptions,
): Promise<PromptSource> {
  const { name, tasks, jsonl, rubric, maxMalformed } = config;
  // Sources of the same families are to give other problems.
  const seed = `${runSeed} ${name}`;
  if (tasks) {
    return taskPrompts(seed, tasks, {
      ...mixtureFrom(config),
      ...(countTokens && { countTokens }),
    });
  }
  const logPath = join(directory, `malformed-${name.replaceAll(/[^\w-]/g, '_')}.jsonl`);
  return rowPrompts({ name, path: jsonl!, seed, rubric, maxMalformed, logPath });
}

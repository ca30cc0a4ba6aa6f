/** Opens the sources of a mixture as a run's config names them. */
import { createHash } from 'node:crypto';
import os from 'node:os';
import { join } from 'node:path';
import { type Mixture, mixtureOf, tokenizerCorpus } from '../tasks/index.ts';
import type { ChatTemplate } from '../text/chat-template.ts';
import type { TextFiles } from '../text/text-files.ts';
import type { DataConfig } from './data-config.ts';
import { type FileData, prepareShards, type ShardIndex, sampleTexts } from './prepare-shards.ts';
import type { WeightedSource } from './sample-stream.ts';
import { openShards } from './shard-source.ts';
import { type TaskSourceOptions, taskSource } from './task-source.ts';
import { TaskWorkers } from './task-workers.ts';

export interface LoadedText {
  text: TextFiles;
  /** The same as files, by name. */
  files: Record<string, string>;
}

export interface OpenOptions {
  /** Of the order of the samples. */
  seed: number;
  cacheDirectory: string;
  /** Threads that make samples of tasks; 0 for this thread. */
  threads: number;
}

export interface OpenSource extends WeightedSource {
  /** What is known of a file's shards; none for tasks. */
  index?: ShardIndex;
}

const seedsApart = 2 ** 20;

/** Where files are kept that can be made again. */
export function defaultCacheDirectory(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(os.homedir(), '.cache'), 'mimoflash');
}

/** @throws UserError when a source is missing or malformed */
export async function openSources(
  data: readonly DataConfig[],
  loaded: LoadedText,
  { seed, cacheDirectory, threads }: OpenOptions,
): Promise<OpenSource[]> {
  const sources: OpenSource[] = [];
  const tasks = data.filter((entry) => entry.tasks);
  // Entries of the same families are to give other problems.
  const options = tasks.map((entry, number) => taskOptions(entry, seed + number * seedsApart));
  const useThreads = threads > 0 && tasks.length > 0;
  const workers = useThreads ? new TaskWorkers(options, loaded.files, threads) : undefined;
  const open = async (entry: DataConfig): Promise<OpenSource> => {
    const { weight } = entry;
    if (entry.tasks) {
      const number = tasks.indexOf(entry);
      return {
        source: workers?.source(number) ?? taskSource(options[number]!, loaded.text),
        weight,
      };
    }
    const text = { ...loaded.text, fingerprint: fingerprintOf(loaded) };
    const shards = await prepareShards(fileData(entry), text, cacheDirectory);
    return { source: await openShards(shards, seed), weight, index: shards.index };
  };
  try {
    for (const entry of data) sources.push(await open(entry));
  } catch (error) {
    await Promise.all(sources.map(({ source }) => source.close()));
    throw error;
  }
  return sources;
}

/** About `count` documents of a mixture as plain text, to learn a vocabulary from. */
export async function corpusOf(
  data: readonly DataConfig[],
  template: ChatTemplate,
  count: number,
  { seed, cacheDirectory }: Pick<OpenOptions, 'seed' | 'cacheDirectory'>,
): Promise<string[]> {
  const total = data.reduce((sum, { weight }) => sum + weight, 0);
  const texts: string[] = [];
  for (const entry of data) {
    const own = Math.ceil((count * entry.weight) / total);
    const drawn = entry.tasks
      ? tokenizerCorpus(seed, own, taskOptions(entry, seed).mixture)
      : await sampleTexts(fileData(entry), template, own, cacheDirectory);
    for (const text of drawn) texts.push(text);
  }
  return texts;
}

function taskOptions(entry: DataConfig, seed: number): TaskSourceOptions {
  const { tasks, learn } = entry;
  return { seed, split: tasks!, learn, mixture: mixtureFrom(entry) };
}

/** The usual mixture of tasks with what a config says otherwise. */
export function mixtureFrom(
  entry: Pick<DataConfig, 'families' | 'levels' | 'tokens' | 'chinese' | 'thinking'>,
): Mixture {
  const { families, levels, tokens, chinese, thinking } = entry;
  const usual = mixtureOf(families);
  return {
    ...usual,
    levels: usual.levels.map(({ level, weight }) => ({
      level,
      weight: levels ? (levels[level] ?? 0) : weight,
    })),
    ...(chinese !== undefined && { chinese }),
    ...(thinking !== undefined && { thinking }),
    ...(tokens && { tokens }),
  };
}

function fileData({ jsonl, text, parquet, fields, learn, maxMalformed }: DataConfig): FileData {
  const format = jsonl !== undefined ? 'jsonl' : text !== undefined ? 'text' : 'parquet';
  return { format, location: (jsonl ?? text ?? parquet)!, fields, learn, maxMalformed };
}

function fingerprintOf({ files }: LoadedText): string {
  return createHash('sha256').update(JSON.stringify(files)).digest('hex');
}

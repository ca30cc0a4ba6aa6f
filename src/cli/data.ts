import { Command } from 'commander';
import pc from 'picocolors';
import { openSources } from '../data/open-sources.ts';
import { readTrainingConfig } from '../train/config.ts';
import { prepareText } from '../train/prepare.ts';
import { RunDirectory } from '../train/run-directory.ts';
import { describeShards } from './shard-line.ts';
import { statusLine } from './status-line.ts';

export function dataCommand(): Command {
  return new Command('data')
    .description('prepare the data of a training run: download, tokenise, deduplicate, count')
    .argument('<config>', 'JSON file of the run')
    .action(prepareData);
}

/** What training would do first, so that trouble with the data shows before a GPU waits. */
async function prepareData(path: string): Promise<void> {
  const config = await readTrainingConfig(path);
  const { tokenizer } = await RunDirectory.open(config.output);
  statusLine.show('preparing the tokenizer');
  const loaded = await prepareText(config, tokenizer);
  const { seed, cache } = config;
  for (const entry of [...config.data, ...(config.evaluation?.data ?? [])]) {
    statusLine.show(`preparing ${entry.jsonl ?? entry.text ?? entry.parquet ?? 'tasks'}`);
    const options = { seed, cacheDirectory: cache, threads: 0 };
    const [source] = await openSources([entry], loaded, options);
    statusLine.clear();
    console.log(source!.index ? describeShards(source!.index) : pc.dim('tasks: without end'));
    await source!.source.close();
  }
}

import Table from 'cli-table3';
import { Command, Option } from 'commander';
import pc from 'picocolors';
import { evaluateTasks, type FamilyResult } from '../eval/task-accuracy.ts';
import { shippedFamilies, shippedModel } from '../shipped-model.ts';
import { familyNames, LEVELS, type Level } from '../tasks/index.ts';
import { loadAssistant } from './model-options.ts';
import {
  type CacheOptions,
  type DeviceOptions,
  naturalNumber,
  positiveInteger,
  useDevice,
  withCacheType,
  withDevice,
} from './options.ts';
import { statusLine } from './status-line.ts';

interface EvalOptions extends DeviceOptions, CacheOptions {
  model: string;
  families?: string[];
  levels?: Level[];
  tokens?: number;
  problems: number;
  seed: number;
  json?: boolean;
  mistakes?: boolean;
}

export function evalCommand(): Command {
  const command = new Command('eval')
    .description('ask a model unseen problems of every task family and check the answers')
    .addOption(
      new Option('--model <directory>', 'checkpoint in the hub’s layout').default(
        shippedModel,
        'the one that ships',
      ),
    )
    .addOption(
      new Option('--families <name...>', 'families to ask')
        .choices(familyNames)
        .default(shippedFamilies, 'those that the model that ships was trained on'),
    )
    .addOption(new Option('--levels <level...>', 'levels to ask, all by default').choices(LEVELS))
    .option('--problems <count>', 'problems of each family, language and way', positiveInteger, 30)
    .option('--tokens <count>', 'length of the prompts of long-context families', positiveInteger)
    .option('--seed <number>', 'seed of the problems', naturalNumber, 1)
    .option('--mistakes', 'show some wrong answers')
    .option('--json', 'print JSON');
  return withCacheType(withDevice(command)).action(evaluate);
}

async function evaluate(options: EvalOptions): Promise<void> {
  await useDevice(options, async (device) => {
    const assistant = await loadAssistant(device, options);
    const results: FamilyResult[] = [];
    const { tokens, ...rest } = options;
    const choice = { ...rest, ...(tokens !== undefined && { promptTokens: tokens }) };
    for await (const result of evaluateTasks(assistant, choice, statusLine.show)) {
      results.push(result);
    }
    statusLine.clear();
    if (options.json) console.log(JSON.stringify(results, null, 2));
    else print(results, options.mistakes === true);
    assistant.release();
  });
}

function print(results: FamilyResult[], withMistakes: boolean): void {
  const table = new Table({
    head: ['family', 'language', 'thinking', 'level', 'exact', 'acceptance length'],
    colAligns: ['left', 'left', 'left', 'left', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const result of results) {
    const { family, language, thinking, level, correct, problems, acceptanceLength } = result;
    table.push([
      family,
      language,
      thinking ? 'on' : 'off',
      level,
      `${((100 * correct) / problems).toFixed(1)} % of ${problems}`,
      acceptanceLength?.toFixed(2) ?? '',
    ]);
  }
  console.log(table.toString());
  for (const family of new Set(results.map((result) => result.family))) {
    const own = results.filter((result) => result.family === family);
    const sum = (value: (result: FamilyResult) => number) =>
      own.reduce((total, result) => total + value(result), 0);
    const share = (100 * sum(({ correct }) => correct)) / sum(({ problems }) => problems);
    console.log(`${family.padEnd(14)} ${share.toFixed(1)} % exact`);
  }
  if (!withMistakes) return;
  for (const { family, mistakes } of results) {
    for (const { question, reason, response } of mistakes) {
      console.log(pc.dim(`\n${family}: ${question}`));
      console.log(`${response}\n${reason}`);
    }
  }
}

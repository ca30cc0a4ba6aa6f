import Table from 'cli-table3';
import { Command, Option } from 'commander';
import pc from 'picocolors';
import { Assistant } from '../engine/assistant.ts';
import { evaluateTasks, type FamilyResult } from '../eval/task-accuracy.ts';
import { shippedModel } from '../shipped-model.ts';
import {
  type DeviceOptions,
  naturalNumber,
  positiveInteger,
  useDevice,
  withDevice,
} from './options.ts';
import { statusLine } from './status-line.ts';

interface EvalOptions extends DeviceOptions {
  model: string;
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
    .option('--problems <count>', 'problems of each family, language and way', positiveInteger, 60)
    .option('--seed <number>', 'seed of the problems', naturalNumber, 1)
    .option('--mistakes', 'show some wrong answers')
    .option('--json', 'print JSON');
  return withDevice(command).action(evaluate);
}

async function evaluate(options: EvalOptions): Promise<void> {
  await useDevice(options, async (device) => {
    const assistant = await Assistant.load(device, options.model, console.error);
    const results: FamilyResult[] = [];
    for await (const result of evaluateTasks(assistant, options, statusLine.show)) {
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
    head: ['family', 'language', 'thinking', 'exact', 'acceptance length'],
    colAligns: ['left', 'left', 'left', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const { family, language, thinking, correct, problems, acceptanceLength } of results) {
    table.push([
      family,
      language,
      thinking ? 'on' : 'off',
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
    console.log(`${family.padEnd(12)} ${share.toFixed(1)} % exact`);
  }
  if (!withMistakes) return;
  for (const { family, mistakes } of results) {
    for (const { question, expected, response } of mistakes) {
      console.log(pc.dim(`\n${family}: ${question}`));
      console.log(`expected ${JSON.stringify(expected)}, got ${JSON.stringify(response)}`);
    }
  }
}

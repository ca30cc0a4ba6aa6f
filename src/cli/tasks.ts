import Table from 'cli-table3';
import { Command, Option } from 'commander';
import pc from 'picocolors';
import { UserError } from '../errors.ts';
import { Random } from '../random.ts';
import {
  FAMILIES,
  generateProblem,
  LANGUAGES,
  type Language,
  LEVELS,
  type Level,
  type Problem,
  type Split,
  solvedChat,
} from '../tasks/index.ts';
import type { ChatMessage } from '../text/chat-messages.ts';
import { naturalNumber, positiveInteger } from './options.ts';

interface TasksOptions {
  level: Level;
  language: Language;
  seed: number;
  count: number;
  split: Split;
  thinking: boolean;
  tokens?: number;
  json?: boolean;
}

export function tasksCommand(): Command {
  return new Command('tasks')
    .description('list the task families, or show solved problems of one')
    .argument('[family]', 'name of a family')
    .addOption(new Option('--level <level>', 'difficulty').choices(LEVELS).default('easy'))
    .addOption(new Option('--language <code>', 'language').choices(LANGUAGES).default('en'))
    .addOption(
      new Option('--split <name>', 'problems to learn from, or those held out')
        .choices(['train', 'test'])
        .default('train'),
    )
    .option('--seed <number>', 'seed of the problems', naturalNumber, 1)
    .option('--count <number>', 'how many', positiveInteger, 3)
    .option('--tokens <count>', 'length of the prompts of long-context families', positiveInteger)
    .option('--no-thinking', 'without thoughts before the answer')
    .option('--json', 'print JSON lines that `mimoflash train` can read')
    .action(showTasks);
}

async function showTasks(name: string | undefined, options: TasksOptions): Promise<void> {
  if (name === undefined) {
    list();
    return;
  }
  const family = FAMILIES.find((candidate) => candidate.name === name);
  if (family === undefined) {
    const names = FAMILIES.map((known) => known.name).join(', ');
    throw new UserError(`there is no task family "${name}"; choose one of ${names}`);
  }
  const { level, language, seed, count, split, thinking, tokens, json } = options;
  if (tokens !== undefined && !family.scalable) {
    throw new UserError(`${name}: its prompts have no length to choose; leave out --tokens`);
  }
  const random = new Random(seed, `tasks ${name}`);
  const choice = { language, level, thinking, ...(tokens !== undefined && { tokens }) };
  for (let i = 0; i < count; i++) {
    const problem = generateProblem(family, random, split, choice);
    if (json) {
      const { tools } = problem;
      console.log(JSON.stringify({ messages: solvedChat(problem), ...(tools && { tools }) }));
    } else {
      print(problem, i + 1);
    }
  }
}

function list(): void {
  const table = new Table({ head: ['family', 'problems'], style: { head: [], border: [] } });
  for (const { name, description } of FAMILIES) table.push([name, description]);
  console.log(table.toString());
}

function print({ messages, tools, solution }: Problem, number: number): void {
  console.log(pc.bold(`${number}.`));
  for (const { function: called } of tools ?? []) {
    const { properties = {} } = (called.parameters ?? {}) as { properties?: object };
    console.log(pc.dim(`function ${called.name}(${Object.keys(properties).join(', ')})`));
  }
  for (const message of messages) say(message, pc.cyan);
  for (const message of solution) say(message, pc.green);
  console.log();
}

function say(message: ChatMessage, color: (text: string) => string): void {
  const { role, content, reasoning_content: thoughts, tool_calls: calls } = message;
  if (thoughts) console.log(pc.dim(`${role} thinks: ${thoughts}`));
  if (content) console.log(`${color(`${role}:`)} ${content}`);
  for (const { function: called } of calls ?? []) {
    console.log(`${color(`${role} calls:`)} ${called.name} ${JSON.stringify(called.arguments)}`);
  }
}

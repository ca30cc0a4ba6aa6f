import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import pc from 'picocolors';
import { UserError } from '../errors.ts';
import { benchCommand } from './bench.ts';
import { chatCommand } from './chat.ts';
import { convertCommand } from './convert.ts';
import { dataCommand } from './data.ts';
import { evalCommand } from './eval.ts';
import { generateCommand } from './generate.ts';
import { inspectCommand } from './inspect.ts';
import { labCommand } from './lab.ts';
import { parityCommand } from './parity.ts';
import { pipelineCommand } from './pipeline.ts';
import { quantizeCommand } from './quantize.ts';
import { runsCommand } from './runs.ts';
import { serveCommand } from './serve.ts';
import { tasksCommand } from './tasks.ts';
import { trainCommand } from './train.ts';

const { version, description } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string; description: string };

const program = new Command('mimoflash')
  .description(description)
  .version(version)
  .showSuggestionAfterError()
  .addCommand(chatCommand())
  .addCommand(generateCommand())
  .addCommand(serveCommand())
  .addCommand(dataCommand())
  .addCommand(trainCommand())
  .addCommand(pipelineCommand())
  .addCommand(runsCommand())
  .addCommand(evalCommand())
  .addCommand(tasksCommand())
  .addCommand(labCommand())
  .addCommand(inspectCommand())
  .addCommand(convertCommand())
  .addCommand(quantizeCommand())
  .addCommand(parityCommand())
  .addCommand(benchCommand());

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.error(`${pc.red('error:')} ${error.message}`);
  process.exitCode = 1;
}

import { Command } from 'commander';
import pc from 'picocolors';
import { GenerationStatistics } from '../engine/statistics.ts';
import { generationOptions, loadAssistant, type ModelOptions, withModel } from './model-options.ts';
import { useDevice } from './options.ts';
import { formatStatistics } from './statistics-line.ts';

/** A text without a chat's form need not come to an end. */
const mostTokens = 512;

export function generateCommand(): Command {
  const command = new Command('generate')
    .description('continue a text, as it is, without a chat template')
    .argument('<prompt>', 'text to continue; control tokens in it are recognised');
  return withModel(command, mostTokens).action(generate);
}

async function generate(prompt: string, options: ModelOptions): Promise<void> {
  await useDevice(options, async (device) => {
    const { sequence, text } = await loadAssistant(device, options);
    const decoder = text.tokenizer.streamDecoder();
    const statistics = new GenerationStatistics();
    process.stdout.write(prompt);
    const tokens = text.tokenizer.encode(prompt);
    for await (const step of sequence.generate(tokens, generationOptions(options))) {
      statistics.add(step);
      for (const token of step.tokens) process.stdout.write(decoder.push(token));
    }
    process.stdout.write(`${decoder.end()}\n`);
    console.error(pc.dim(formatStatistics(statistics)));
  });
}

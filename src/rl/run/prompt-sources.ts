import type { LoadedText } from '../../data/open-sources.ts';
import type { Split } from '../../tasks/index.ts';
import type { PromptSource } from '../scheduler/types.ts';
import { chatPrompts } from './chat-prompts.ts';
import type { PolicyConfig, PromptSourceConfig } from './config.ts';
import { familiesOf, taskPrompts } from './task-prompts.ts';

/** The prompts of a source: those to learn from, or those held out. */
export async function promptsOf(
  source: PromptSourceConfig,
  split: Split,
  { seed }: PolicyConfig,
  { text }: LoadedText,
): Promise<PromptSource> {
  const { domain, levels, chinese, thinking, tokens, prompts: path, rubric } = source;
  if (path !== undefined) return chatPrompts({ path, rubric: rubric!, thinking, seed, split });
  const families = source.families ?? familiesOf(domain)!;
  const countTokens = (part: string) => text.tokenizer.encodeOrdinary(part).length;
  return taskPrompts({ families, levels, chinese, thinking, tokens, seed, split }, countTokens);
}

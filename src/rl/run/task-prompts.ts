/** Problems of the task families as prompts to be sampled: number i depends on the source and i only. */
import { createHash } from 'node:crypto';
import { Random } from '../../random.ts';
import {
  DOMAINS,
  FAMILIES,
  generateProblem,
  type Language,
  LEVELS,
  type Level,
  type Split,
} from '../../tasks/index.ts';
import type { Prompt, PromptSource } from '../scheduler/types.ts';

/** Weights by name; what is left out of `levels` comes not at all. */
export interface TaskPromptOptions {
  families: Readonly<Partial<Record<string, number>>>;
  levels: Readonly<Partial<Record<Level, number>>>;
  /** Shares. */
  chinese: number;
  thinking: number;
  /** Fewest and most tokens of the prompts of scalable families; left out, as their levels say. */
  tokens?: readonly [fewest: number, most: number] | undefined;
  seed: number;
  split: Split;
}

export function taskPrompts(
  options: TaskPromptOptions,
  countTokens: (text: string) => number,
): PromptSource {
  const { families, levels, chinese, thinking, tokens, seed, split } = options;
  const weighedFamilies = FAMILIES.flatMap((family) => {
    const weight = families[family.name] ?? 0;
    return weight > 0 ? [{ family, weight }] : [];
  });
  const weighedLevels = LEVELS.map((level) => ({ level, weight: levels[level] ?? 0 }));
  return {
    fingerprint: createHash('sha256').update(JSON.stringify(options)).digest('hex').slice(0, 16),
    async prompt(index): Promise<Prompt> {
      const random = new Random(`${split} ${seed} ${index}`, 'prompt');
      const language: Language = random.chance(chinese) ? 'zh' : 'en';
      const { family } = random.weighted(weighedFamilies);
      const { level } = random.weighted(weighedLevels);
      const length =
        family.scalable && tokens
          ? {
              tokens: Math.round(tokens[0] * (tokens[1] / tokens[0]) ** random.uniform()),
              countTokens,
            }
          : {};
      const choice = { language, level, thinking: random.chance(thinking), ...length };
      const problem = generateProblem(family, random, split, choice);
      // Generated problems hardly come again; how hard their kind is does.
      return { problem, cell: `${family.name}/${level}/${language}`, key: null, rubric: null };
    },
  };
}

/** The families of a domain, evenly; null for a domain of somebody's own. */
export function familiesOf(domain: string): Record<string, number> | null {
  const names = Object.hasOwn(DOMAINS, domain) ? DOMAINS[domain]! : null;
  return names && Object.fromEntries(names.map((name) => [name, 1]));
}

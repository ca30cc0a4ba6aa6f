import { Random } from '../../random.ts';
import { drawLength, generateProblem, type Mixture, type Split } from '../../tasks/index.ts';
import type { PromptSource } from './types.ts';

/**
 * Problems of the task families, without end. Unlike samples to learn from, each is asked on its own, so
 * that pass rates are those of its family, level and language.
 */
export function taskPrompts(seed: number | string, split: Split, mixture: Mixture): PromptSource {
  const { families, levels, chinese, thinking, tokens, countTokens } = mixture;
  const names = families.map(({ family, weight }) => [family.name, weight]);
  return {
    fingerprint: JSON.stringify({ seed, split, names, levels, chinese, thinking, tokens }),
    async prompt(index) {
      const random = new Random(`${seed} ${index}`, `${split} prompts`);
      const { family } = random.weighted(families);
      const { level } = random.weighted(levels);
      const language = random.chance(chinese) ? 'zh' : 'en';
      const length = family.scalable && tokens && { tokens: drawLength(random, tokens) };
      const problem = generateProblem(family, random, split, {
        ...{ language, level, thinking: random.chance(thinking) },
        ...(length && { ...length, ...(countTokens && { countTokens }) }),
      });
      const cell = `${family.name}/${level}/${language}`;
      return { problem, cell, key: null, rubric: null };
    },
  };
}

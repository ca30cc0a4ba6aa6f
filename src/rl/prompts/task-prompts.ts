import { createHash } from 'node:crypto';
import { Random } from '../../random.ts';
import {
  drawLength,
  generateProblem,
  type Language,
  type Mixture,
  type Split,
} from '../../tasks/index.ts';
import type { PromptSource } from '../scheduler/types.ts';

/**
 * Problems of the task families, without end: number i depends on the seed and i only. Unlike samples to
 * learn from, each is asked on its own, so that pass rates are those of its family, level and language.
 */
export function taskPrompts(seed: string, split: Split, mixture: Mixture): PromptSource {
  const { families, levels, chinese, thinking, tokens, countTokens } = mixture;
  const names = families.map(({ family, weight }) => [family.name, weight]);
  const contents = JSON.stringify({ seed, split, names, levels, chinese, thinking, tokens });
  return {
    fingerprint: createHash('sha256').update(contents).digest('hex').slice(0, 16),
    async prompt(index) {
      const random = new Random(`${split} ${seed} ${index}`, 'prompt');
      const language: Language = random.chance(chinese) ? 'zh' : 'en';
      const { family } = random.weighted(families);
      const { level } = random.weighted(levels);
      const length = family.scalable && tokens && { tokens: drawLength(random, tokens) };
      const problem = generateProblem(family, random, split, {
        ...{ language, level, thinking: random.chance(thinking) },
        ...(length && { ...length, ...(countTokens && { countTokens }) }),
      });
      // Generated problems hardly come again; how hard their kind is does.
      const mode = problem.thinking ? 'thinking' : 'direct';
      const cell = [family.name, level, language, mode].join('/');
      return { problem, cell, key: null, rubric: null };
    },
  };
}

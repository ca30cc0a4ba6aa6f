/** Draws problems: of one family, or of a mixture as the model is trained on. */

import type { Random } from '../random.ts';
import type { ChatMessage } from '../text/chat-messages.ts';
import { FAMILIES } from './families.ts';
import { OTHER_SYSTEMS } from './persona.ts';
import {
  type Language,
  type Level,
  type Problem,
  type ProblemOptions,
  type Split,
  splitOf,
  type TaskFamily,
} from './task.ts';

/** How often each kind of sample comes; probabilities, and weights that need not sum to one. */
export interface Mixture {
  families: readonly { family: TaskFamily; weight: number }[];
  levels: readonly { level: Level; weight: number }[];
  chinese: number;
  thinking: number;
  /** Samples in which another problem was asked and answered before. */
  twoTurn: number;
  /** Samples with a system message of their own. */
  ownSystem: number;
  /** Tokens of the prompts of scalable families, evenly by logarithm; left out, as their levels say. */
  tokens?: readonly [fewest: number, most: number];
  /** Counts those tokens; left out, an estimate. */
  countTokens?: (text: string) => number;
}

/** How often a family comes when nothing else is said. */
const USUAL_WEIGHTS: Readonly<Record<string, number>> = {
  arithmetic: 2,
  recall: 1,
  strings: 1,
  equations: 3,
  'word-problems': 4,
  needles: 2,
  tracking: 2,
  'gsm-graph': 2,
  code: 3,
  shell: 2,
  functions: 2,
  instructions: 1.5,
  conversation: 1.5,
  knowledge: 2,
  safety: 1.5,
};

/** The usual mixture of families by weight; those without a weight are left out. */
export function mixtureOf(
  weights: Readonly<Partial<Record<string, number>>> = USUAL_WEIGHTS,
): Mixture {
  return {
    families: FAMILIES.flatMap((family) => {
      const weight = weights[family.name] ?? 0;
      return weight > 0 ? [{ family, weight }] : [];
    }),
    levels: [
      { level: 'easy', weight: 3 },
      { level: 'medium', weight: 4 },
      { level: 'hard', weight: 3 },
    ],
    chinese: 0.4,
    thinking: 0.7,
    twoTurn: 0.12,
    ownSystem: 0.1,
  };
}

export const DEFAULT_MIXTURE = mixtureOf();

/** A problem of one family, drawn until one is of `split`. */
export function generateProblem(
  family: TaskFamily,
  random: Random,
  split: Split,
  options: ProblemOptions,
): Problem {
  for (;;) {
    const problem = family.generate(random, options);
    if (splitOf(problem.key) === split) return problem;
  }
}

/**
 * A sample of `mixture`. Every problem in it is of `split`, those of earlier turns too, so that
 * nothing that is tested is ever learnt from.
 */
export function sampleProblem(
  random: Random,
  split: Split,
  mixture: Mixture = DEFAULT_MIXTURE,
): Problem {
  const thinking = random.chance(mixture.thinking);
  const language: Language = random.chance(mixture.chinese) ? 'zh' : 'en';
  const { countTokens } = mixture;
  const draw = () => {
    const { family } = random.weighted(mixture.families);
    const { level } = random.weighted(mixture.levels);
    const tokens = family.scalable && mixture.tokens && drawLength(random, mixture.tokens);
    const length = tokens && { tokens, ...(countTokens && { countTokens }) };
    const options = { language, level, thinking, ...length };
    const drawn = generateProblem(family, random, split, options);
    // Two long problems would be longer than `tokens` says, what one may call, another may not, and a
    // system prompt comes first and holds throughout.
    const hasSystem = drawn.messages[0]!.role === 'system';
    return { problem: drawn, standsAlone: Boolean(length || drawn.tools || hasSystem) };
  };
  let { problem, standsAlone } = draw();
  if (random.chance(mixture.twoTurn)) {
    const next = draw();
    if (!standsAlone && !next.standsAlone) problem = followUp(problem, next.problem);
  }
  if (random.chance(mixture.ownSystem) && problem.messages[0]!.role !== 'system') {
    const system = { role: 'system', content: random.pick(OTHER_SYSTEMS[language]) };
    problem = { ...problem, messages: [system, ...problem.messages] };
  }
  return problem;
}

/** Evenly by logarithm. */
export function drawLength(random: Random, [fewest, most]: readonly [number, number]): number {
  return Math.round(fewest * (most / fewest) ** random.uniform());
}

/** `problem`, asked after `earlier` was asked and answered. */
export function followUp(earlier: Problem, problem: Problem): Problem {
  return { ...problem, messages: [...solvedChat(earlier), ...problem.messages] };
}

/** The chat of a problem with its solution. */
export function solvedChat({ messages, solution }: Problem): ChatMessage[] {
  return [...messages, ...solution];
}

/** Draws problems: of one family, or of a mixture as the model is trained on. */

import type { Random } from '../random.ts';
import { arithmetic } from './arithmetic.ts';
import { dialogue } from './dialogue.ts';
import { OTHER_SYSTEMS } from './persona.ts';
import { recall } from './recall.ts';
import { strings } from './strings.ts';
import {
  type Difficulty,
  type Language,
  type Problem,
  type ProblemOptions,
  type Split,
  splitOf,
  type TaskFamily,
} from './task.ts';

export const FAMILIES: readonly TaskFamily[] = [arithmetic, recall, strings, dialogue];

/** How often each kind of sample comes; probabilities, and weights that need not sum to one. */
export interface Mixture {
  families: readonly { family: TaskFamily; weight: number }[];
  difficulties: readonly { difficulty: Difficulty; weight: number }[];
  chinese: number;
  thinking: number;
  /** Samples in which another problem was asked and answered before. */
  twoTurn: number;
  /** Samples with a system message of their own. */
  ownSystem: number;
}

export const DEFAULT_MIXTURE: Mixture = {
  families: [
    { family: arithmetic, weight: 5 },
    { family: recall, weight: 6 },
    { family: strings, weight: 4 },
    { family: dialogue, weight: 1.5 },
  ],
  difficulties: [
    { difficulty: 1, weight: 3 },
    { difficulty: 2, weight: 4 },
    { difficulty: 3, weight: 3 },
  ],
  chinese: 0.4,
  thinking: 0.7,
  twoTurn: 0.12,
  ownSystem: 0.1,
};

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
  const draw = () => {
    const { family } = random.weighted(mixture.families);
    const { difficulty } = random.weighted(mixture.difficulties);
    return generateProblem(family, random, split, { language, difficulty, thinking });
  };
  let problem = draw();
  if (random.chance(mixture.twoTurn)) problem = followUp(problem, draw());
  if (random.chance(mixture.ownSystem)) {
    const system = { role: 'system', content: random.pick(OTHER_SYSTEMS[language]) };
    problem = { ...problem, messages: [system, ...problem.messages] };
  }
  return problem;
}

/** `problem`, asked after `earlier` was asked and answered. */
export function followUp(earlier: Problem, problem: Problem): Problem {
  return { ...problem, messages: [...solvedChat(earlier), ...problem.messages] };
}

/** The chat of a problem with its right answer as the last turn. */
export function solvedChat({ messages, reasoning, answer }: Problem): Problem['messages'] {
  return [
    ...messages,
    {
      role: 'assistant',
      content: answer,
      ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
    },
  ];
}

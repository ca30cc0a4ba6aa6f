import { Random } from '../../src/random.ts';
import { LANGUAGES, LEVELS, type Problem, type TaskFamily } from '../../src/tasks/index.ts';

/** So many problems of a family at each level in each language, the same every time. */
export function drawProblems(family: TaskFamily, count: number, thinking = false): Problem[] {
  const random = new Random(family.name);
  return LEVELS.flatMap((level) =>
    LANGUAGES.flatMap((language) =>
      Array.from({ length: count }, () => family.generate(random, { level, language, thinking })),
    ),
  );
}

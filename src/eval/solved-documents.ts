/** Texts of task families with their solutions, to measure a model on. */
import { Random } from '../random.ts';
import { mixtureOf, type Split, sampleProblem, toTrainingText } from '../tasks/index.ts';
import type { Tokenizer } from '../text/tokenizer.ts';

export interface SolvedDocument {
  tokens: number[];
  /** Whether each token counts: those that a model is trained to give. */
  counts: boolean[];
}

/** Solved problems of some families, as often of each, of which the assistant's part counts. */
export function solvedDocuments(
  tokenizer: Tokenizer,
  split: Split,
  { families, count }: { families: readonly string[]; count: number },
): SolvedDocument[] {
  const random = new Random(1);
  const mixture = mixtureOf(Object.fromEntries(families.map((name) => [name, 1])));
  return Array.from({ length: count }, () => {
    const document: SolvedDocument = { tokens: [], counts: [] };
    const problem = sampleProblem(random, split, mixture);
    for (const { text, trained } of toTrainingText(problem, tokenizer)) {
      const tokens = tokenizer.encode(text);
      document.tokens.push(...tokens);
      document.counts.push(...tokens.map(() => trained));
    }
    return document;
  });
}

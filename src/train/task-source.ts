import { Random } from '../random.ts';
import {
  DEFAULT_MIXTURE,
  mixtureOf,
  type Split,
  sampleProblem,
  solvedChat,
  tokenizerCorpus,
} from '../tasks/index.ts';
import type { DocumentSource } from './documents.ts';

export interface TaskSourceOptions {
  seed: number;
  /** Held-out problems come in no training sample. */
  split: Split;
  learn: 'all' | 'answers';
  /** Families by name and how often each comes; all, in the usual mixture, if not given. */
  families?: Partial<Record<string, number>>;
}

/** Solved problems of the task families, without end: problem number i depends on seed and i only. */
export function taskSource({ seed, split, learn, families }: TaskSourceOptions): DocumentSource {
  const mixture = families ? mixtureOf(families) : DEFAULT_MIXTURE;
  return {
    where: (index) => `task problem ${index}`,
    async document(index) {
      const problem = sampleProblem(new Random(`${split} ${seed} ${index}`), split, mixture);
      const { thinking, tools } = problem;
      const messages = solvedChat(problem);
      return { kind: 'chat', messages, thinking, learn, ...(tools && { tools }) };
    },
    async *corpus(count) {
      yield* tokenizerCorpus(seed, count, mixture);
    },
  };
}

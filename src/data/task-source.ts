import { Random } from '../random.ts';
import { type Mixture, type Split, sampleProblem, solvedChat } from '../tasks/index.ts';
import type { TextFiles } from '../text/text-files.ts';
import { encodeDocument } from './documents.ts';
import type { SampleSource } from './sample-stream.ts';

export interface TaskSourceOptions {
  seed: number;
  /** Held-out problems come in no training sample. */
  split: Split;
  learn: 'all' | 'answers';
  mixture: Mixture;
}

/** Solved problems of the task families, without end: problem number i depends on seed and i only. */
export function taskSource(
  { seed, split, learn, mixture }: TaskSourceOptions,
  text: TextFiles,
): SampleSource {
  const countTokens = (part: string) => text.tokenizer.encodeOrdinary(part).length;
  const counting = { ...mixture, countTokens };
  return {
    where: (index) => `task problem ${index}`,
    async sample(index) {
      const problem = sampleProblem(new Random(`${split} ${seed} ${index}`), split, counting);
      const { thinking, tools } = problem;
      const messages = solvedChat(problem);
      const document = {
        kind: 'chat',
        messages,
        thinking,
        learn,
        ...(tools && { tools }),
      } as const;
      return { ...encodeDocument(text, document), label: problem.family };
    },
    close: async () => {},
  };
}

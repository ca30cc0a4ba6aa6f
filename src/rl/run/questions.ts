/** What a run asks and how answers are judged; also where its questions are asked apart from it. */
import type { Split } from '../../tasks/index.ts';
import type { TextFiles } from '../../text/text-files.ts';
import { Judge } from '../judge/judge.ts';
import { ProgramThreads } from '../programs/program-threads.ts';
import { openPrompts } from '../prompts/open-prompts.ts';
import { outcomeReward } from '../reward.ts';
import type { RewardFunction, ScheduledSource } from '../scheduler/types.ts';
import type { PolicyConfig } from './config.ts';

export interface QuestionsParts {
  /** For lists of malformed rows. */
  directory: string;
  text: TextFiles;
  threads: ProgramThreads;
}

/** The run's sources: what it learns from, or what is held out. */
export function openQuestions(
  { sources, seed, judge }: PolicyConfig,
  split: Split,
  { directory, text: { tokenizer }, threads }: QuestionsParts,
): Promise<ScheduledSource[]> {
  return openPrompts(sources, {
    ...{ split, seed, directory, threads },
    hasJudge: judge !== undefined,
    countTokens: (part) => tokenizer.encodeOrdinary(part).length,
  });
}

/** @throws UserError if the judge's key is not set */
export function rewardOf({ judge }: PolicyConfig): RewardFunction {
  return outcomeReward(judge ? new Judge(judge) : null);
}

/** Where the programs of the run's problems are run. */
export function programThreadsOf({ tools, schedule }: PolicyConfig): ProgramThreads {
  return new ProgramThreads({
    threads: tools.threads,
    callTimeout: 1000 * tools.callTimeoutSeconds,
    // One that waits behind another that hangs still has its time.
    verifyTimeout: schedule.rewardTimeout / 2,
  });
}

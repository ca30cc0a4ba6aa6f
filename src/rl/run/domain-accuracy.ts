/**
 * The share of right answers by domain, on problems that are never trained on. Rewards
 * of a step do not say it: groups without signal were replaced, and what is left is about half right.
 */
import type { LoadedText } from '../../data/open-sources.ts';
import type { Rollout, Sequence } from '../scheduler/types.ts';
import type { PolicyConfig } from './config.ts';
import { nameOf } from './config.ts';
import { familiesOf, taskPrompts } from './task-prompts.ts';

/** By source; the same problems each time. */
export async function domainAccuracy(
  rollout: Rollout,
  { sources, seed, evaluation, schedule }: PolicyConfig,
  { text }: LoadedText,
): Promise<Record<string, number>> {
  const countTokens = (part: string) => text.tokenizer.encodeOrdinary(part).length;
  const never = new AbortController().signal;
  const scores: Record<string, number> = {};
  for (const source of sources) {
    const { domain, levels, chinese, thinking, tokens, maxTokens } = source;
    const families = source.families ?? familiesOf(domain)!;
    const prompts = taskPrompts(
      { families, levels, chinese, thinking, tokens, seed, split: 'test' },
      countTokens,
    );
    const { problems: count, temperature } = evaluation!;
    let right = 0;
    const answer = async (index: number) => {
      const sequence: Sequence = {
        id: `${nameOf(source)} ${index}`,
        ...{ group: '', source: nameOf(source), domain, prompt: await prompts.prompt(index) },
        ...{ attempt: 0, seed: index, maxTokens, temperature, partial: null },
      };
      const result = await rollout(sequence, never);
      if (result.status !== 'finished') return;
      const { correct } = await sequence.prompt.problem.verify(result.response);
      if (correct) right++;
    };
    // As many at once as the engine works on.
    for (let begin = 0; begin < count; begin += schedule.concurrency) {
      const end = Math.min(count, begin + schedule.concurrency);
      await Promise.all(Array.from({ length: end - begin }, (_, i) => answer(begin + i)));
    }
    scores[nameOf(source)] = right / count;
  }
  return scores;
}

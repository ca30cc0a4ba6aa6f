/**
 * The share of right answers by source, on problems that are never trained on. Rewards of a step do not say
 * it: groups without signal were replaced, and what is left is about half right.
 */
import type { ScheduledSource, Sequence } from '../scheduler/types.ts';
import type { PolicyConfig } from './config.ts';
import type { PolicyRun } from './open-policy-run.ts';

type Parts = Pick<PolicyRun, 'rollout' | 'reward' | 'heldOut'>;

/** By source; the same problems each time. */
export async function domainAccuracy(
  parts: Parts,
  config: PolicyConfig,
): Promise<Record<string, number>> {
  const scores: Record<string, number> = {};
  for (const source of parts.heldOut) {
    const answers = await sourceAnswers(parts, source, config);
    scores[source.name] = answers.filter(Boolean).length / answers.length;
  }
  return scores;
}

/** Whether each of the source's problems was answered right; the same problems each time. */
export async function sourceAnswers(
  { rollout, reward }: Pick<Parts, 'rollout' | 'reward'>,
  { name, domain, prompts, maxTokens }: ScheduledSource,
  config: PolicyConfig,
): Promise<boolean[]> {
  const { problems, temperature } = config.evaluation!;
  const never = new AbortController().signal;
  const isRight = async (index: number): Promise<boolean> => {
    const sequence: Sequence = {
      ...{ id: `evaluation ${name} ${index}`, group: '', source: name, domain },
      ...{ prompt: await prompts.prompt(index), attempt: 0, seed: index },
      ...{ maxTokens, temperature, partial: null },
    };
    const result = await rollout(sequence, never);
    if (result.status !== 'finished') return false;
    return (await reward(sequence, result.response, never)).passed;
  };
  const right: boolean[] = [];
  // As many at once as the engine works on.
  const { concurrency } = config.schedule;
  for (let begin = 0; begin < problems; begin += concurrency) {
    const count = Math.min(concurrency, problems - begin);
    right.push(...(await Promise.all(Array.from({ length: count }, (_, i) => isRight(begin + i)))));
  }
  return right;
}

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
    scores[source.name] = await sourceAccuracy(parts, source, config);
  }
  return scores;
}

async function sourceAccuracy(
  { rollout, reward }: Parts,
  { name, domain, prompts, maxTokens }: ScheduledSource,
  config: PolicyConfig,
): Promise<number> {
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
  let right = 0;
  // As many at once as the engine works on.
  const { concurrency } = config.schedule;
  for (let begin = 0; begin < problems; begin += concurrency) {
    const count = Math.min(concurrency, problems - begin);
    const answers = await Promise.all(Array.from({ length: count }, (_, i) => isRight(begin + i)));
    right += answers.filter(Boolean).length;
  }
  return right / problems;
}

/**
 * The share of right answers by source, on problems that are never trained on. Rewards of a step do not say
 * it: groups without signal were replaced, and what is left is about half right.
 */
import { UserError } from '../../errors.ts';
import { hashText } from '../../random.ts';
import { systemClock } from '../clock.ts';
import { withDeadline } from '../deadline.ts';
import type { ScheduledSource, Sequence } from '../scheduler/types.ts';
import { SequenceFailure } from '../sequence-failure.ts';
import type { PolicyConfig } from './config.ts';
import type { PolicyRun } from './open-policy-run.ts';

type Parts = Pick<PolicyRun, 'rollout' | 'reward'>;

/** By source; the same problems each time. */
export interface DomainAccuracy {
  scores: Record<string, number>;
  /** Problems that came to nothing, and count as wrong; of sources that have any. */
  failed: Record<string, number>;
}

/** @throws UserError as `sourceAnswers` */
export async function domainAccuracy(
  { heldOut, ...parts }: Parts & Pick<PolicyRun, 'heldOut'>,
  config: PolicyConfig,
): Promise<DomainAccuracy> {
  const found: DomainAccuracy = { scores: {}, failed: {} };
  for (const source of heldOut) {
    const { right, failed } = await sourceAnswers(parts, source, config);
    found.scores[source.name] = right.filter(Boolean).length / right.length;
    if (failed > 0) found.failed[source.name] = failed;
  }
  return found;
}

/**
 * Whether each of the source's problems was answered right; the same problems each time. A tool that hangs
 * or a judge that talks nonsense costs a problem what it costs a sequence: it is tried again, within the
 * schedule's limits, and counts as wrong in the end.
 *
 * @returns `failed`: how many of those that are not right came to nothing
 * @throws UserError if they are more than the schedule's `maxFailures`
 */
export async function sourceAnswers(
  parts: Parts,
  source: ScheduledSource,
  config: PolicyConfig,
): Promise<{ right: boolean[]; failed: number }> {
  const { problems } = config.evaluation!;
  const { concurrency, retries, maxFailures } = config.schedule;
  let failed = 0;
  const isRight = async (index: number): Promise<boolean> => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await answer(parts, source, config, { index, attempt });
      } catch (error) {
        if (attempt < retries) continue;
        failed++;
        if (failed <= maxFailures * problems) return false;
        throw new UserError(
          `${failed} of ${problems} problems of ${source.name} could not be evaluated, more than ` +
            `maxFailures (${maxFailures}) allows; the last was ${described(error)}`,
          { cause: error },
        );
      }
    }
  };
  const right: boolean[] = [];
  // As many at once as the engine works on.
  for (let begin = 0; begin < problems; begin += concurrency) {
    const count = Math.min(concurrency, problems - begin);
    right.push(...(await Promise.all(Array.from({ length: count }, (_, i) => isRight(begin + i)))));
  }
  return { right, failed };
}

async function answer(
  { rollout, reward }: Parts,
  { name, domain, prompts, maxTokens }: ScheduledSource,
  { evaluation, schedule }: PolicyConfig,
  { index, attempt }: { index: number; attempt: number },
): Promise<boolean> {
  const sequence: Sequence = {
    ...{ id: `evaluation ${name} ${index}`, group: '', source: name, domain },
    ...{ prompt: await prompts.prompt(index), attempt, partial: null },
    seed: attempt === 0 ? index : hashText(`${index} ${attempt}`),
    ...{ maxTokens, temperature: evaluation!.temperature },
  };
  const late = (kind: 'rollout-timeout' | 'reward-timeout') => () =>
    new SequenceFailure(kind, 'it took too long');
  const { rolloutTimeout, rewardTimeout } = schedule;
  const result = await withDeadline(
    systemClock,
    rolloutTimeout,
    (signal) => rollout(sequence, signal),
    late('rollout-timeout'),
  );
  if (result.status !== 'finished') {
    throw new SequenceFailure('malformed', 'the rollout paused without being told to');
  }
  const { passed } = await withDeadline(
    systemClock,
    rewardTimeout,
    (signal) => reward(sequence, result.response, signal),
    late('reward-timeout'),
  );
  return passed;
}

function described(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return error instanceof SequenceFailure ? `${error.kind}: ${message}` : message;
}

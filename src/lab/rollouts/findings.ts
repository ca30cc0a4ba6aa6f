/** What is said of rollouts, and whether the measurements bear it out. */
import type { SchedulerOptions } from '../../rl/scheduler/types.ts';
import { meanOf } from '../../series.ts';
import type { Finding } from '../experiment.ts';
import { percent, tokensPerSecond } from '../markdown.ts';
import type { RolloutVariant, TimedStep } from './outcome.ts';

/** A variant with the steps that count. */
export interface MeasuredVariant extends RolloutVariant {
  steps: readonly TimedStep[];
}

export type Caps = Pick<SchedulerOptions, 'maxWait' | 'maxCarriedShare' | 'maxStaleness'>;

export function rolloutFindings(measured: readonly MeasuredVariant[], caps: Caps): Finding[] {
  const usual = measured.filter(({ groupsAhead }) => groupsAhead === undefined);
  const plain = usual.find(({ drafts }) => drafts === 0);
  const drafting = usual.filter(({ drafts }) => drafts !== 0);
  const best = drafting.toSorted((a, b) => drawnSpeed(b.steps) - drawnSpeed(a.steps))[0];
  const whole = measured.find(({ groupsAhead }) => groupsAhead === 0);
  const full = usual.find(({ drafts }) => drafts === undefined);
  return [
    ...(plain && best ? [draftFinding(best, plain)] : []),
    ...(full && whole ? [waitFinding(full, whole)] : []),
    capsFinding(
      measured.flatMap(({ steps }) => steps),
      caps,
    ),
  ];
}

function draftFinding(best: MeasuredVariant, plain: MeasuredVariant): Finding {
  const [fast, slow] = [drawnSpeed(best.steps), drawnSpeed(plain.steps)];
  const share = ({ steps }: MeasuredVariant) => percent(samplingShare(steps));
  return {
    claim: 'MTP makes the rollouts of reinforcement learning faster (section 2.3)',
    measured: `${(fast / slow).toFixed(2)} times: ${tokensPerSecond(fast)} (${best.name}) and ${tokensPerSecond(slow)} (${plain.name}); sampling is ${share(best)} and ${share(plain)} of a step`,
    verdict: verdictOf(fast / slow),
  };
}

function waitFinding(full: MeasuredVariant, whole: MeasuredVariant): Finding {
  const seconds = ({ steps }: MeasuredVariant) => meanOf(steps.map(({ sampling }) => sampling));
  const [carrying, waiting] = [seconds(full), seconds(whole)];
  return {
    claim:
      'a step that carries slow sequences over waits less than one that needs all of its own (section 4.6)',
    measured: `sampling takes ${carrying.toFixed(2)} s a step (${full.name}) and ${waiting.toFixed(2)} s (${whole.name})`,
    verdict: verdictOf(waiting / carrying),
  };
}

/** Seconds: a timer comes after what the engine is just computing. */
const slack = 1;

function capsFinding(steps: readonly TimedStep[], caps: Caps): Finding {
  const { held, carried, staleness } = mostOf(steps);
  const isWithin =
    held <= caps.maxWait / 1000 + slack &&
    carried <= caps.maxCarriedShare &&
    staleness <= caps.maxStaleness;
  return {
    claim: 'a step never waits for its slowest sequence beyond the caps of the scheduler',
    measured: `at most ${held.toFixed(1)} s held back of ${caps.maxWait / 1000} s, ${percent(carried)} carried over of ${percent(caps.maxCarriedShare)}, tokens up to ${staleness} versions old of ${caps.maxStaleness}`,
    verdict: isWithin ? 'holds' : 'does not hold',
  };
}

/** A ratio of times beyond what they vary by. */
function verdictOf(ratio: number): Finding['verdict'] {
  if (ratio > 1.05) return 'holds';
  return ratio < 0.95 ? 'does not hold' : 'not decided';
}

export function mostOf(steps: readonly TimedStep[]) {
  const most = (value: (step: TimedStep) => number) => Math.max(...steps.map(value));
  return {
    held: most(({ held }) => held),
    carried: most(({ carried }) => carried),
    staleness: most(({ staleness }) => staleness),
  };
}

/** Tokens a second of sampling, over all the steps. */
export function drawnSpeed(steps: readonly TimedStep[]): number {
  return sum(steps, ({ tokens }) => tokens) / sum(steps, ({ sampling }) => sampling);
}

export function samplingShare(steps: readonly TimedStep[]): number {
  return sum(steps, ({ sampling }) => sampling) / sum(steps, secondsOf);
}

export function secondsOf({ sampling, teachers, training }: TimedStep): number {
  return sampling + teachers + training;
}

function sum(steps: readonly TimedStep[], value: (step: TimedStep) => number): number {
  return steps.reduce((total, step) => total + value(step), 0);
}

/** What the report and the paper of R3 say of the mismatch, and whether the measurements bear it out. */
import { meanOf } from '../../series.ts';
import type { Finding } from '../experiment.ts';
import { percent, withError } from '../markdown.ts';
import { compare, type Spread, spread, verdictOf } from '../statistics.ts';
import { type Format, type FormatOutcome, gatedShare, type RunOutcome } from './outcome.ts';

export interface MeasuredFormat extends FormatOutcome {
  format: Format;
}

/** The runs with the replay and without, by seed. */
export interface Arms {
  replayed: RunOutcome[];
  own: RunOutcome[];
}

export function formatFindings(measured: readonly MeasuredFormat[]): Finding[] {
  return measured.map(({ format, replayed, own }): Finding => {
    const times = own.klPositive / replayed.klPositive;
    return {
      claim:
        'replaying the rollout’s experts brings training closer to the rollout (R3, section 4.6)',
      measured: `${format.name}: KL ${nats(replayed.klPositive)} with the replay and ${nats(own.klPositive)} without, tokens gated ${percent(gatedShare(replayed))} and ${percent(gatedShare(own))}`,
      verdict: times > clearly ? 'holds' : times < 1 / clearly ? 'does not hold' : 'not decided',
    };
  });
}

/** How many times as large a KL of thousands of tokens is for the difference to be one. */
const clearly = 1.2;

export function runFindings({ replayed, own }: Arms): Finding[] {
  const kl = (runs: readonly RunOutcome[]) =>
    spread(runs.map(({ curve }) => ending(curve.map(({ klPositive }) => klPositive))));
  const accuracy = (runs: readonly RunOutcome[]) =>
    spread(runs.map((run) => run.accuracy.at(-1)![1]));
  const values = ([one, other]: [Spread, Spread], text: (value: Spread) => string) =>
    `${text(one)} without the replay, ${text(other)} with it`;
  return [
    {
      claim: 'in training without the replay the policies stay further apart',
      measured: `KL over the last fifth of the steps: ${values([kl(own), kl(replayed)], ({ mean }) => nats(mean))}`,
      verdict: verdictOf(compare(kl(own), kl(replayed)), 'higher'),
    },
    {
      claim: 'training with the replay learns more than without',
      measured: `right answers at the end: ${values([accuracy(own), accuracy(replayed)], (value) => withError(value))}`,
      verdict: verdictOf(compare(accuracy(replayed), accuracy(own)), 'higher'),
    },
  ];
}

/** A mean over the last fifth. */
function ending(values: readonly number[]): number {
  return meanOf(values.slice(-Math.ceil(values.length / 5)));
}

/** Small numbers of nats. */
export function nats(value: number): string {
  return value === 0 ? '0' : value.toExponential(1).replace('e+', 'e');
}

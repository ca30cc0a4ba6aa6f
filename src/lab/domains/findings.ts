/** The goal of distillation, and whether the measurements bear it out. */
import type { Finding } from '../experiment.ts';
import { percent } from '../markdown.ts';
import { type Interval, pairedDifference } from '../statistics.ts';
import type { JudgedCheckpoint } from './outcome.ts';

/** A checkpoint with what it answered, by domain. */
export interface Judged extends Pick<JudgedCheckpoint, 'name' | 'role' | 'domain'> {
  answers: ReadonlyMap<string, readonly boolean[]>;
}

/** How a student stands in a domain to what is compared with it. */
export interface Standing {
  domain: string;
  share: number;
  best: Judged;
  toBest: Difference;
  toBefore: Difference;
}

export type Difference = Interval & { difference: number };

/** What the student may lose to the best teacher of a domain. */
const allowedLoss = 0.01;

/** So many domains are to be better than any teacher's. */
const wantedAbove = 2;

export function shareOf(answers: readonly boolean[]): number {
  return answers.filter(Boolean).length / answers.length;
}

export function standings(student: Judged, all: readonly Judged[]): Standing[] {
  const before = all.find(({ role }) => role === 'before')!;
  const teachers = all.filter(({ role }) => role === 'teacher');
  return [...student.answers].map(([domain, answers]) => {
    const best = bestOf(domain, teachers);
    return {
      domain,
      share: shareOf(answers),
      best,
      toBest: pairedDifference(answers, best.answers.get(domain)!),
      toBefore: pairedDifference(answers, before.answers.get(domain)!),
    };
  });
}

/** Of two that are equal, the domain's own. */
function bestOf(domain: string, teachers: readonly Judged[]): Judged {
  const own = teachers.toSorted(
    (a, b) => Number(b.domain === domain) - Number(a.domain === domain),
  );
  return own.reduce((best, other) => {
    return shareOf(other.answers.get(domain)!) > shareOf(best.answers.get(domain)!) ? other : best;
  });
}

/** Against the goal: no more than a point below the best teacher, and not below the student before. */
export function standingVerdict({ toBest, toBefore }: Standing): Finding['verdict'] {
  return worst([atLeast(toBest, -allowedLoss), atLeast(toBefore, 0)]);
}

export function domainFindings(student: Judged, all: readonly Judged[]): Finding[] {
  const own = standings(student, all);
  const above = own.filter(({ toBest }) => toBest.difference > 0);
  const surelyAbove = own.filter(({ toBest }) => toBest.low > 0);
  const listed = (value: (standing: Standing) => Difference) =>
    own.map((standing) => `${standing.domain} ${describe(value(standing))}`).join('; ');
  return [
    {
      claim: `after distillation (${student.name}) the student is no more than a point below the best teacher of each domain (table 7)`,
      measured: `points to the best teacher: ${listed(({ toBest }) => toBest)}`,
      verdict: worst(own.map(({ toBest }) => atLeast(toBest, -allowedLoss))),
    },
    {
      claim: `after distillation (${student.name}) the student is better than every teacher in some domains (table 7; wanted here: ${wantedAbove})`,
      measured: `above in ${above.length} of ${own.length}, beyond chance in ${surelyAbove.length}`,
      verdict:
        surelyAbove.length >= wantedAbove
          ? 'holds'
          : above.length < wantedAbove
            ? 'does not hold'
            : 'not decided',
    },
    {
      claim: `after distillation (${student.name}) no domain is worse than before`,
      measured: `points to the student before: ${listed(({ toBefore }) => toBefore)}`,
      verdict: worst(own.map(({ toBefore }) => atLeast(toBefore, 0))),
    },
  ];
}

/** A difference in points, with its interval. */
export function describe({ difference, low, high }: Difference): string {
  const points = (value: number) => `${value < 0 ? '−' : '+'}${Math.abs(100 * value).toFixed(1)}`;
  return `${points(difference)} (${points(low)} to ${points(high)})`;
}

export function shareWithInterval(share: number, { low, high }: Interval): string {
  return `${percent(share)} (${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})`;
}

/** A difference below the limit that may be chance decides nothing. */
function atLeast({ difference, high }: Difference, limit: number): Finding['verdict'] {
  if (difference >= limit) return 'holds';
  return high < limit ? 'does not hold' : 'not decided';
}

function worst(verdicts: readonly Finding['verdict'][]): Finding['verdict'] {
  if (verdicts.includes('does not hold')) return 'does not hold';
  return verdicts.includes('not decided') ? 'not decided' : 'holds';
}

import type { Outcomes, Report, Section } from '../experiment.ts';
import { percent, table } from '../markdown.ts';
import { wilson } from '../statistics.ts';
import {
  describe,
  domainFindings,
  type Judged,
  shareOf,
  shareWithInterval,
  standings,
  standingVerdict,
} from './findings.ts';
import type { DomainsConfig, DomainsOutcome } from './outcome.ts';

export function domainsReport(config: DomainsConfig, outcomes: Outcomes<DomainsOutcome>): Report {
  const judged = config.checkpoints.map(({ name, role, domain }): Judged => {
    const { answers } = outcomes.get(name)!;
    const domains = Object.entries(answers).map(
      ([asked, right]) => [asked, [...right].map((one) => one === '1')] as const,
    );
    return { name, role, domain, answers: new Map(domains) };
  });
  const students = judged.filter(({ role }) => role === 'after');
  const counts = new Set([...judged[0]!.answers.values()].map(({ length }) => length));
  return {
    title: 'Student and teachers by domain',
    method: `Each checkpoint answers the same held-out problems, ${[...counts].join(' or ')} of each domain, drawn as the distillation's own sources are (families, levels, languages, with thinking and without), in the same way as while training: by the engine that samples, with drafts, and by programs that verify. Shares have Wilson's intervals at 95 %. Differences are on the same problems, with the interval of Agresti and Min for pairs; one that misses its limit within that interval decides nothing. The best teacher of a domain is the best of all, whatever it was trained on; as the best of several it is flattered by chance.`,
    findings: students.flatMap((student) => domainFindings(student, judged)),
    sections: [...students.map((student) => studentSection(student, judged)), allSection(judged)],
  };
}

/** Table 7's columns. */
function studentSection(student: Judged, judged: readonly Judged[]): Section {
  const before = judged.find(({ role }) => role === 'before')!;
  const rows = standings(student, judged).map((standing) => {
    const { domain, share, best, toBest, toBefore } = standing;
    const own = judged.find((each) => each.role === 'teacher' && each.domain === domain);
    const shareIn = (one: Judged) => percent(shareOf(one.answers.get(domain)!));
    return [
      domain,
      shareIn(before),
      own ? shareIn(own) : '',
      `${shareIn(best)} (${best.name})`,
      percent(share),
      describe(toBefore),
      describe(toBest),
      standingVerdict(standing),
    ];
  });
  const head = [
    ...['domain', 'before', 'own teacher', 'best teacher', 'after'],
    ...['after − before', 'after − best', 'goal'],
  ];
  return {
    heading: `Before, teachers, and after (${student.name})`,
    text: `The goal of a domain: no more than a point below the best teacher, and not below the student before.\n\n${table(head, rows)}`,
    plots: [],
  };
}

/** Each domain as its own teacher answers it. */
function ownTeachers(judged: readonly Judged[]): Pick<Judged, 'name' | 'answers'> {
  const answers = judged.flatMap(({ role, domain, answers }) => {
    const own = role === 'teacher' && domain ? answers.get(domain) : undefined;
    return own ? [[domain!, own] as const] : [];
  });
  return { name: 'own teacher', answers: new Map(answers) };
}

/** Marks of one domain stand side by side, over so much of its place. */
const spreadOfMarks = 0.7;

function allSection(judged: readonly Judged[]): Section {
  const names = [...judged[0]!.answers.keys()];
  const interval = (answers: readonly boolean[]) =>
    wilson(answers.filter(Boolean).length, answers.length);
  const rows = judged.map(({ name, answers }) => [
    name,
    ...names.map((domain) => {
      const own = answers.get(domain)!;
      return shareWithInterval(shareOf(own), interval(own));
    }),
  ]);
  const shown = [
    ...judged.filter(({ role }) => role === 'before'),
    ownTeachers(judged),
    ...judged.filter(({ role }) => role === 'after'),
  ];
  const series = shown.map(({ name, answers }, i) => {
    const aside = ((i + 0.5) / shown.length - 0.5) * spreadOfMarks;
    const own = names.flatMap((domain, x) => {
      const right = answers.get(domain);
      return right ? [{ x: x + aside, share: shareOf(right), ...interval(right) }] : [];
    });
    return {
      name,
      draw: 'marks' as const,
      points: own.map(({ x, share }) => [x, 100 * share] as const),
      bounds: own.map(({ x, low, high }) => [x, 100 * low, 100 * high] as const),
    };
  });
  return {
    heading: 'All checkpoints in all domains',
    text: table(['checkpoint', ...names], rows),
    plots: [
      {
        name: 'domains-shares',
        plot: {
          title: 'Right answers by domain',
          x: { label: 'domain', names },
          y: { label: 'right answers, %, with 95 % intervals' },
          series,
        },
      },
    ],
  };
}

import { describe, expect, test } from 'vitest';
import { plotSvg } from '../plot.ts';
import { type DomainsConfig, type DomainsOutcome, domainsSchema } from './outcome.ts';
import { domainsReport } from './report.ts';

const config: DomainsConfig = {
  run: {},
  checkpoints: [
    { name: 'sft', role: 'before', checkpoint: 'sft' },
    { name: 'code-teacher', role: 'teacher', domain: 'code', checkpoint: 'code' },
    { name: 'tools-teacher', role: 'teacher', domain: 'tools', checkpoint: 'tools' },
    { name: 'mopd', role: 'after', checkpoint: 'mopd' },
  ],
};

const count = 1000;
/** The first so many of a thousand are right. */
const first = (right: number) => '1'.repeat(right).padEnd(count, '0');

function report(shares: Record<string, [code: number, tools: number]>) {
  const outcomes = Object.entries(shares).map(([name, [code, tools]]): [string, DomainsOutcome] => {
    return [name, { answers: { code: first(code), tools: first(tools) } }];
  });
  return domainsReport(config, new Map(outcomes));
}

const verdicts = ({ findings }: ReturnType<typeof report>) => findings.map((each) => each.verdict);

describe('the goal of distillation', () => {
  const others = {
    sft: [800, 700],
    'code-teacher': [900, 710],
    'tools-teacher': [810, 850],
  } satisfies Record<string, [number, number]>;

  test('is reached where both domains are above their best teachers', () => {
    const reached = report({ ...others, mopd: [930, 880] });
    expect(verdicts(reached)).toEqual(['holds', 'holds', 'holds']);
    const { text } = reached.sections[0]!;
    expect(text).toContain('| code | 80.0 % | 90.0 % | 90.0 % (code-teacher) | 93.0 % |');
    expect(text).toContain('| +3.0 (+1.9 to +4.1) | holds |');
  });

  test('is missed where a domain is far below its teacher, or below the student before', () => {
    const below = report({ ...others, mopd: [850, 860] });
    expect(verdicts(below)).toEqual(['does not hold', 'does not hold', 'holds']);
    const worse = report({ ...others, mopd: [930, 600] });
    expect(verdicts(worse)).toEqual(['does not hold', 'does not hold', 'does not hold']);
  });

  test('is not decided by what may be chance', () => {
    // A point and a half below the best teacher, with as many answers lost as are gained elsewhere.
    const shuffled = first(900).split('').reverse().join('');
    const outcomes = new Map<string, DomainsOutcome>([
      ['sft', { answers: { code: first(800), tools: first(800) } }],
      ['code-teacher', { answers: { code: shuffled, tools: first(800) } }],
      ['tools-teacher', { answers: { code: first(800), tools: first(800) } }],
      ['mopd', { answers: { code: first(885), tools: first(801) } }],
    ]);
    const { findings } = domainsReport(config, outcomes);
    expect(findings.map(({ verdict }) => verdict)).toEqual([
      'not decided',
      'does not hold',
      'holds',
    ]);
  });

  test('is against the best of all teachers', () => {
    const { sections } = report({ ...others, 'tools-teacher': [905, 850], mopd: [905, 850] });
    expect(sections[0]!.text).toContain('| 90.5 % (tools-teacher) | 90.5 % |');
  });
});

test('all checkpoints are shown with their intervals, and drawn before, taught and after', () => {
  const { sections } = report({
    sft: [800, 700],
    'code-teacher': [900, 710],
    'tools-teacher': [810, 850],
    mopd: [930, 880],
  });
  const { text, plots } = sections.at(-1)!;
  expect(text).toContain('| sft | 80.0 % (77.4 to 82.4) | 70.0 % (67.1 to 72.8) |');
  const svg = plotSvg(plots[0]!.plot);
  expect(svg.match(/<circle/g)).toHaveLength(6);
  for (const name of ['tools', 'sft', 'own teacher', 'mopd']) {
    expect(svg).toContain(`>${name}</text>`);
  }
});

test('a student after a second round is judged beside the first', () => {
  const checkpoints = [
    ...config.checkpoints,
    { name: 'second-round', role: 'after' as const, checkpoint: 'second' },
  ];
  const answers = (code: number): DomainsOutcome => ({
    answers: { code: first(code), tools: first(code) },
  });
  const { findings, sections } = domainsReport(
    { ...config, checkpoints },
    new Map([
      ...['sft', 'code-teacher', 'tools-teacher'].map((name) => [name, answers(800)] as const),
      ['mopd', answers(700)],
      ['second-round', answers(900)],
    ]),
  );
  expect(findings.map(({ verdict }) => verdict)).toEqual([
    ...['does not hold', 'does not hold', 'does not hold'],
    ...['holds', 'holds', 'holds'],
  ]);
  expect(sections.map(({ heading }) => heading)).toEqual([
    'Before, teachers, and after (mopd)',
    'Before, teachers, and after (second-round)',
    'All checkpoints in all domains',
  ]);
});

test('a config needs a student before, a teacher and a student after', () => {
  const without = (role: string) => ({
    ...config,
    checkpoints: config.checkpoints.filter((each) => each.role !== role),
  });
  expect(domainsSchema.safeParse(config).success).toBe(true);
  for (const role of ['before', 'teacher', 'after']) {
    expect(domainsSchema.safeParse(without(role)).success).toBe(false);
  }
});

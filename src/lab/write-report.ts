/** Writes what came of an experiment: its numbers as JSON, a report in Markdown, and plots beside it. */
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { atomicWriteFile } from '../checkpoint/atomic.ts';
import { asUserError } from '../checkpoint/file-errors.ts';
import type { Experiment, Report, Section } from './experiment.ts';
import { table } from './markdown.ts';
import { plotSvg } from './plot.ts';
import type { KeptOutcome, LabOptions } from './run-experiment.ts';

/** @returns the path of the Markdown file */
export async function writeReport<Config, Outcome>(
  experiment: Experiment<Config, Outcome>,
  config: Config,
  kept: ReadonlyMap<string, KeptOutcome<Outcome>>,
  { reports, quick }: Pick<LabOptions, 'reports' | 'quick'>,
): Promise<string> {
  const { name } = experiment;
  const outcomes = new Map([...kept].map(([job, { outcome }]) => [job, outcome]));
  const report = experiment.report(config, outcomes);
  const machines = [...new Set([...kept.values()].map(({ machine }) => machine))];
  const seconds = [...kept.values()].reduce((sum, each) => sum + each.seconds, 0);
  const command = `mimoflash lab ${name}${quick ? ' --quick' : ''}`;
  const { title, findings } = report;
  const result = { experiment: name, title, command, machines, seconds, findings, config };
  const files = new Map([
    [
      `${name}.json`,
      `${JSON.stringify({ ...result, outcomes: Object.fromEntries(outcomes) }, null, 1)}\n`,
    ],
    [`${name}.md`, reportText(report, { command, machines, seconds, json: `${name}.json` })],
    ...report.sections.flatMap(({ plots }) =>
      plots.map(({ name: plot, plot: contents }) => [`${plot}.svg`, plotSvg(contents)] as const),
    ),
  ]);
  try {
    await fs.mkdir(reports, { recursive: true });
    for (const [file, contents] of files) await atomicWriteFile(join(reports, file), contents);
  } catch (error) {
    throw asUserError(error, `cannot write ${reports}`);
  }
  return join(reports, `${name}.md`);
}

function reportText(
  { title, method, findings, sections }: Report,
  made: { command: string; machines: readonly string[]; seconds: number; json: string },
): string {
  const minutes = (made.seconds / 60).toFixed(1);
  return `${[
    `# ${title}`,
    `    ${made.command}`,
    `Made in ${minutes} minutes of jobs on: ${made.machines.join(' and ')}. Numbers and config: [${made.json}](${made.json}).`,
    method,
    '## What the report says, and what came of it here',
    findingsTable(findings),
    ...sections.map(sectionText),
  ].join('\n\n')}\n`;
}

function findingsTable(findings: Report['findings']): string {
  const rows = findings.map(({ claim, measured, verdict }) => [claim, measured, verdict]);
  return table(['the report', 'measured here', ''], rows);
}

function sectionText({ heading, text, plots }: Section): string {
  const images = plots.map(({ name, plot }) => `![${plot.title}](${name}.svg)`);
  return [`## ${heading}`, text, ...images].filter((part) => part !== '').join('\n\n');
}

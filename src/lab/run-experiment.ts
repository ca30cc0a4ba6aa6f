/** Runs what is left of an experiment, and writes its report once nothing is. */
import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { atomicWriteFile } from '../checkpoint/atomic.ts';
import { asUserError, errorCode } from '../checkpoint/file-errors.ts';
import { UserError } from '../errors.ts';
import { readJsonFile } from '../json-file.ts';
import type { Device } from '../tensor/device.ts';
import { type Experiment, type Job, Stopped } from './experiment.ts';
import { readConfig } from './read-config.ts';
import { writeReport } from './write-report.ts';

export interface LabOptions {
  device: Device;
  /** JSON file of the experiment. */
  configPath: string;
  /** Whether the file's "quick" is laid over it. */
  quick: boolean;
  /** Directory of the experiment's runs and outcomes. */
  output: string;
  /** Directory of reports. */
  reports: string;
  /** Runs every `of`-th job only, for several processes on one machine; without a report. */
  part?: Part;
  signal: AbortSignal;
  progress(text: string): void;
}

/** Part `number` of `of`, counted from 1. */
export interface Part {
  number: number;
  of: number;
}

export type LabEnd =
  | { state: 'reported'; path: string }
  | { state: 'stopped' }
  /** Its part is done; the report needs the others. */
  | { state: 'part done'; missing: string[] };

/** An outcome as it is kept. */
export interface KeptOutcome<Outcome> {
  settings: unknown;
  machine: string;
  seconds: number;
  outcome: Outcome;
}

/** @throws UserError when the config is wrong, a kept outcome has other settings, or a job fails */
export async function runExperiment<Config, Outcome>(
  experiment: Experiment<Config, Outcome>,
  options: LabOptions,
): Promise<LabEnd> {
  const config = await readConfig(experiment, options);
  const jobs = experiment.jobs(config);
  const kept = new Map<string, KeptOutcome<Outcome>>();
  const own = jobsOfPart(jobs, options.part);
  for (const job of jobs) {
    const before = await readOutcome<Outcome>(options.output, job);
    if (before) kept.set(job.name, before);
  }
  try {
    for (const job of own) {
      if (kept.has(job.name)) continue;
      if (options.signal.aborted) throw new Stopped();
      kept.set(job.name, await runJob(job, options));
    }
  } catch (error) {
    if (error instanceof Stopped) return { state: 'stopped' };
    throw error;
  }
  const missing = jobs.map(({ name }) => name).filter((name) => !kept.has(name));
  if (options.part || missing.length > 0) return { state: 'part done', missing };
  return { state: 'reported', path: await writeReport(experiment, config, kept, options) };
}

/** Jobs that measure time are left to the process that has the machine for itself. */
function jobsOfPart<Outcome>(jobs: readonly Job<Outcome>[], part?: Part): Job<Outcome>[] {
  if (!part) return [...jobs];
  return jobs.filter(({ isTimed }) => !isTimed).filter((_, i) => i % part.of === part.number - 1);
}

async function runJob<Outcome>(
  job: Job<Outcome>,
  options: LabOptions,
): Promise<KeptOutcome<Outcome>> {
  const { device, output, configPath, signal } = options;
  const start = performance.now();
  const outcome = await job.run({
    device,
    configPath,
    signal,
    directory: join(output, 'runs'),
    progress: (text) => options.progress(`${job.name}: ${text}`),
  });
  const kept = {
    settings: job.settings,
    machine: machineOf(device),
    seconds: (performance.now() - start) / 1000,
    outcome,
  };
  const path = outcomePath(output, job);
  try {
    await fs.mkdir(join(output, 'outcomes'), { recursive: true });
    await atomicWriteFile(path, `${JSON.stringify(kept)}\n`);
  } catch (error) {
    throw asUserError(error, `cannot write ${path}`);
  }
  return kept;
}

async function readOutcome<Outcome>(
  output: string,
  job: Job<Outcome>,
): Promise<KeptOutcome<Outcome> | null> {
  const path = outcomePath(output, job);
  const exists = await fs.access(path).then(
    () => true,
    (error) => {
      if (errorCode(error) === 'ENOENT') return false;
      throw asUserError(error, `cannot read ${path}`);
    },
  );
  if (!exists) return null;
  // Written by `runJob` alone, whole or not at all.
  const kept = (await readJsonFile(path)) as KeptOutcome<Outcome>;
  // As JSON keeps it.
  if (isDeepStrictEqual(kept.settings, JSON.parse(JSON.stringify(job.settings)))) return kept;
  throw new UserError(
    `${path}: was made with other settings; put the config back, choose another output, or remove it`,
  );
}

function outcomePath(output: string, { name }: Job<unknown>): string {
  return join(output, 'outcomes', `${name}.json`);
}

function machineOf(device: Device): string {
  const processors = os.cpus();
  const model = processors[0]?.model.trim() ?? os.arch();
  return `${device.description}; ${processors.length} × ${model}; Node ${process.versions.node}`;
}

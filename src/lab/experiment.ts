/**
 * What an experiment is: jobs that are run once and kept, and a report on what came of them. A job is
 * a training with its measurements, or a measurement alone; it goes on where it was stopped, and is not
 * run again once it has an outcome.
 */
import { z } from 'zod';
import type { Device } from '../tensor/device.ts';
import type { Plot } from './plot.ts';

export interface Experiment<Config, Outcome> {
  name: string;
  /** One line, what it asks. */
  description: string;
  /** Of the experiment's JSON file. */
  schema: z.ZodType<Config>;
  jobs(config: Config): Job<Outcome>[];
  /** Called when every job has its outcome. */
  report(config: Config, outcomes: Outcomes<Outcome>): Report;
}

/** Of a job, or what one is named for: it names files. */
export const jobNameSchema = z
  .string()
  .regex(/^[a-z0-9-]+$/, 'must be of small letters, digits and "-"');

export interface Job<Outcome> {
  /** As `jobNameSchema` has it. */
  name: string;
  /** All of the config that decides the outcome. */
  settings: unknown;
  /** Whether it measures time, so that nothing else may run on the machine meanwhile. */
  isTimed?: boolean;
  run(context: JobContext): Promise<Outcome>;
}

export interface JobContext {
  device: Device;
  /** Where runs go, one directory each. */
  directory: string;
  /** Of the experiment's file, to which paths in it are relative. */
  configPath: string;
  signal: AbortSignal;
  /** Says what is being done, in a line that the next replaces. */
  progress(text: string): void;
}

/** By job. */
export type Outcomes<Outcome> = ReadonlyMap<string, Outcome>;

export interface Report {
  title: string;
  /** Paragraphs on what was done, in Markdown. */
  method: string;
  findings: Finding[];
  sections: Section[];
}

/** Something that the technical report says, and what came of it here. */
export interface Finding {
  claim: string;
  measured: string;
  verdict: 'holds' | 'does not hold' | 'not decided';
}

export interface Section {
  heading: string;
  /** In Markdown. */
  text: string;
  plots: { name: string; plot: Plot }[];
}

/** Thrown out of a job that was asked to stop. */
export class Stopped extends Error {}

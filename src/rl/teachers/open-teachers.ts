/** Teachers as a run's config names them. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { findCheckpoint } from '../../checkpoint/checkpoint-directory.ts';
import { loadModel } from '../../checkpoint/load-model.ts';
import { count, positive, text } from '../../config-fields.ts';
import { UserError } from '../../errors.ts';
import type { Device } from '../../tensor/device.ts';
import type { TextFiles } from '../../text/text-files.ts';
import { loadText } from '../../train/prepare.ts';
import { ModelTeacher } from './model-teacher.ts';
import { TeacherRegistry } from './registry.ts';
import { Requester } from './requester.ts';
import { assertSameServerText, assertSameText } from './same-text.ts';
import { ServerTeacher } from './server-teacher.ts';
import type { Teacher } from './teacher.ts';

/** In the place of a checkpoint's path: the student as it was when the run began. */
const frozenStudent = 'student';

const checkpointSchema = z.strictObject({
  /** A directory, or "student", which then teaches what it could when the run began. */
  checkpoint: text,
  /** Whether it stays in memory while others compute. */
  resident: z.boolean().default(true),
});

const serverSchema = z.strictObject({
  url: z.url({
    protocol: /^https?$/,
    error: 'must be the http:// or https:// address of a server',
  }),
  /** The environment variable that holds the server's key. */
  apiKeyVariable: text.optional(),
  attempts: count.default(3),
  timeoutSeconds: positive.default(120),
  backoffSeconds: positive.default(1),
  concurrency: count.default(8),
  /** Whether the server is asked to render chats; not all can. */
  checkTemplate: z.boolean().default(true),
});

export const teacherSchema = z.union(
  [checkpointSchema, serverSchema],
  'must have "checkpoint" or "url", and what goes with it',
);

export type TeacherConfig = z.infer<typeof teacherSchema>;

/** The checkpoint that it names; null for a server, and for the student itself. */
export function checkpointOf(config: TeacherConfig): string | null {
  return 'url' in config || config.checkpoint === frozenStudent ? null : config.checkpoint;
}

/** The same with its path made absolute, as paths of a config are relative to its folder. */
export function locateTeacher(
  config: TeacherConfig,
  absolute: (path: string) => string,
): TeacherConfig {
  const checkpoint = checkpointOf(config);
  return checkpoint === null ? config : { ...config, checkpoint: absolute(checkpoint) };
}

export interface OpenTeachersOptions {
  device: Device;
  /** The checkpoint that the student begins with, and its tokenizer and template. */
  student: { checkpoint: string; text: TextFiles };
  /** Most tokens that a teacher of this process computes at once. */
  microBatchTokens: number;
}

/**
 * Opens the teacher of each domain, and compares its vocabulary and its chat template with the student's.
 * Domains that name one checkpoint or server share a teacher.
 *
 * @param domains what the run will sample
 * @throws UserError if a domain has no teacher, or a teacher is not there or reads otherwise
 */
export async function openTeachers(
  configs: Readonly<Record<string, TeacherConfig>>,
  domains: readonly string[],
  options: OpenTeachersOptions,
): Promise<TeacherRegistry> {
  const missing = domains.find((domain) => !Object.hasOwn(configs, domain));
  if (missing !== undefined) {
    const known = Object.keys(configs).join(', ');
    throw new UserError(`domain "${missing}" has no teacher (there are: ${known}); name one`);
  }
  const opened = new Map<string, Teacher>();
  const byDomain = new Map<string, Teacher>();
  try {
    for (const [domain, config] of Object.entries(configs)) {
      const source = sourceOf(config, options);
      const teacher = opened.get(source) ?? (await openTeacher(source, config, options));
      opened.set(source, teacher);
      byDomain.set(domain, teacher);
    }
  } catch (error) {
    for (const teacher of opened.values()) await teacher.close();
    throw error;
  }
  return new TeacherRegistry(byDomain);
}

/** What tells teachers apart. */
function sourceOf(config: TeacherConfig, { student }: OpenTeachersOptions): string {
  if ('url' in config) return config.url.replace(/\/+$/, '');
  return resolve(config.checkpoint === frozenStudent ? student.checkpoint : config.checkpoint);
}

async function openTeacher(
  source: string,
  config: TeacherConfig,
  { device, student, microBatchTokens }: OpenTeachersOptions,
): Promise<Teacher> {
  if ('url' in config) {
    const { apiKeyVariable, checkTemplate, ...limits } = config;
    const key = apiKeyVariable === undefined ? undefined : keyIn(apiKeyVariable);
    const requests = { ...limits, url: source, ...(key !== undefined && { key }) };
    await assertSameServerText(source, new Requester(requests), student.text, { checkTemplate });
    return new ServerTeacher(requests);
  }
  assertSameText(source, (await loadText(await findCheckpoint(source))).text, student.text);
  const teacher = new ModelTeacher(source, {
    load: () => loadModel(device, source),
    resident: config.resident,
    microBatchTokens,
  });
  // A checkpoint that does not load should be known before anything is sampled for it.
  if (config.resident) await teacher.open();
  return teacher;
}

function keyIn(variable: string): string {
  const key = process.env[variable];
  if (key) return key;
  throw new UserError(`apiKeyVariable: ${variable} is not set; set it to the server's key`);
}

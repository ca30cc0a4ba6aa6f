/**
 * What a run of reinforcement learning is: a teacher's by its rewards (`"stage": "teacher"`), or the
 * student's by its teachers (`"stage": "mopd"`). The JSON file that `mimoflash train` is given.
 */
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import {
  count,
  countOrZero,
  natural,
  parseConfig,
  positive,
  share,
  text,
} from '../../config-fields.ts';
import { adamwSchema, fitsMicroBatch, fitsSteps, runFields } from '../../train/run-config.ts';
import { judgeSchema } from '../judge/config.ts';
import { promptSourceSchema } from '../prompts/source-config.ts';
import { schedulerSchema } from '../scheduler/options.ts';
import { locateTeacher, teacherSchema } from '../teachers/open-teachers.ts';
import { toolsSchema } from '../tools/config.ts';

const correctionSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('gate'),
    low: natural.exactOptional(),
    high: positive.exactOptional(),
  }),
  z.strictObject({
    kind: z.literal('truncate'),
    limit: positive.exactOptional(),
    decay: share.exactOptional(),
    maxStaleness: countOrZero.exactOptional(),
  }),
  z.strictObject({ kind: z.literal('none') }),
]);
const clipSchema = z.strictObject({
  kind: z.literal('clip'),
  low: natural.exactOptional(),
  high: natural.exactOptional(),
});
const reductionSchema = z.union([
  z.enum(['responses', 'tokens']),
  z.strictObject({ length: count }),
]);

/** The options of `grpo`. */
const grpoSchema = z.strictObject({
  correction: z.union([correctionSchema, clipSchema]).exactOptional(),
  reduction: reductionSchema.exactOptional(),
  normalize: z.boolean().exactOptional(),
});

/** The options of `mopd`; the report gives no α. */
const mopdSchema = z.strictObject({
  alpha: natural,
  correction: correctionSchema.exactOptional(),
  reduction: reductionSchema.exactOptional(),
  normalize: z.boolean().exactOptional(),
  topTokens: countOrZero.exactOptional(),
  normalizeDomains: z.boolean().exactOptional(),
  gapLimit: positive.exactOptional(),
});

const common = {
  /** A step is a batch of groups, and `maxLength` counts the prompt. */
  ...runFields,
  /** What to begin with, weights and tokenizer. */
  model: z.strictObject({ checkpoint: text, mtpHeads: countOrZero.optional() }),
  sources: z.array(promptSourceSchema, 'must be a list').min(1, 'must not be empty'),
  /** How sequences are sampled, grouped and carried over: see `SchedulerOptions`. */
  schedule: schedulerSchema,
  /** Which model judges where no program can. */
  judge: judgeSchema.optional(),
  /** What tools may take: sessions, calls, time, threads. */
  tools: toolsSchema.prefault({}),

  /** What rollouts compute with: the trainer's own weights, or a copy of so many bits. */
  rolloutWeights: z.enum(['shared', '8-bit', '4-bit']).default('shared'),
  /** What rollouts keep keys and values in; less than f32 is another policy than the trainer's. */
  rolloutCache: z.enum(['f32', 'f16', 'i8']).default('f32'),
  /** MTP heads that rollouts draft with; by default all. */
  drafts: countOrZero.optional(),
  /** Whether training replays the rollouts' experts (R3). */
  replay: z.boolean('must be true or false').default(true),
  freezeRouter: z.boolean('must be true or false').default(false),

  adamw: adamwSchema({ weightDecay: 0 }),
  mtpLossWeight: natural.default(0.1),
  expertBiasRate: natural.default(1e-4),
  balanceCoefficient: natural.default(0),

  /** In steps: how often the mismatch is measured without the replay too, for a forward pass more. */
  compareReplayEvery: count.optional(),
  checkpointEvery: count.default(20),
  /** Share of right answers by domain on problems that are held out, by default greedily. */
  evaluation: z
    .strictObject({ every: count, problems: count.default(64), temperature: natural.default(0) })
    .optional(),
};

const policySchema = z
  .discriminatedUnion('stage', [
    z.strictObject({ stage: z.literal('teacher'), ...common, grpo: grpoSchema.prefault({}) }),
    z.strictObject({
      stage: z.literal('mopd'),
      ...common,
      mopd: mopdSchema,
      /** The one teacher of each domain: a checkpoint, a server, or "student". */
      teachers: z.record(text, teacherSchema),
    }),
  ])
  .refine(...fitsMicroBatch)
  .refine(({ sources, judge }) => judge || sources.every(({ rubric }) => !rubric), {
    message: '"judge" is missing, and a source has a rubric',
  })
  .refine(({ sources }) => new Set(sources.map(({ name }) => name)).size === sources.length, {
    message: 'sources: two have one name; give each a "name"',
  })
  .refine(...fitsSteps);

export type PolicyConfig = z.output<typeof policySchema>;

export const policyStages: readonly string[] = ['teacher', 'mopd'];

/** @param path of the file it comes from, for messages and for paths in it */
export function parsePolicyConfig(json: unknown, path: string): PolicyConfig {
  const config = parseConfig(policySchema, withSignal(json), path);
  const absolute = (relative: string) => resolve(dirname(path), relative);
  const model = { ...config.model, checkpoint: absolute(config.model.checkpoint) };
  const sources = config.sources.map(({ prompts, rubric, ...source }) => ({
    ...source,
    ...(prompts !== undefined && { prompts: absolute(prompts) }),
    ...(rubric !== undefined && { rubric: absolute(rubric) }),
  }));
  const located = { ...config, output: absolute(config.output), model, sources };
  if (located.stage === 'teacher') return located;
  const teachers = Object.entries(located.teachers).map(([domain, teacher]) => {
    return [domain, locateTeacher(teacher, absolute)];
  });
  return { ...located, teachers: Object.fromEntries(teachers) };
}

/**
 * Distillation learns from groups that are all right or all wrong as well, unless a config says that these
 * are to be replaced.
 */
function withSignal(json: unknown): unknown {
  const { stage, schedule } = (json ?? {}) as { stage?: unknown; schedule?: unknown };
  if (stage !== 'mopd' || typeof schedule !== 'object' || schedule === null) return json;
  return { ...(json as object), schedule: { requireSignal: false, ...schedule } };
}

/**
 * The report's ablation of attention (section 2.2.1, tables 2 to 4): all layers global against windows
 * of two sizes, with and without sinks, on the same data and for as many steps, before and after the
 * context is extended.
 */
import { z } from 'zod';
import { DecodingBatch } from '../../eval/bench-inference.ts';
import { describeModel } from '../../model/describe.ts';
import { parseHubConfig } from '../../model/hub-config.ts';
import { initializeModel } from '../../model/initialize.ts';
import { releaseModel } from '../../model/weights.ts';
import { thin } from '../../series.ts';
import type { Experiment, Job, JobContext } from '../experiment.ts';
import { type Questions, shareRight, type TrainedRun, train } from '../training.ts';
import { type AttentionConfig, attentionSchema, shapeOf, type Variant } from './config.ts';
import {
  type AttentionOutcome,
  type DecodingPoint,
  decodedVariants,
  decodingJobName,
  type Stage,
  trainingJobName,
} from './outcome.ts';
import { attentionReport } from './report.ts';

export const attention: Experiment<AttentionConfig, AttentionOutcome> = {
  name: 'attention',
  description: 'global attention against sliding windows, with and without sinks',
  schema: attentionSchema,
  jobs: (config) => [
    ...config.variants.flatMap((variant) =>
      config.seeds.map((seed) => trainingJob(config, variant, seed)),
    ),
    ...decodedVariants(config).map((variant) => decodingJob(config, variant)),
  ],
  report: attentionReport,
};

/** Most points of a curve that are kept. */
const curvePoints = 120;

function trainingJob(
  { training, extension, questions }: AttentionConfig,
  variant: Variant,
  seed: number,
): Job<AttentionOutcome> {
  const name = trainingJobName(variant, seed);
  const base = z.looseObject({
    model: z.looseObject({ config: z.record(z.string(), z.unknown()) }),
    maxLength: z.int(),
  });
  return {
    name,
    settings: { variant, seed, training, extension, questions },
    async run(context) {
      const { model, maxLength } = base.parse(training);
      const changed = { ...model, config: shapeOf(model.config, variant) };
      const first = await train(context, `${name}-1`, { ...training, seed, model: changed });
      const fits = Object.fromEntries(
        Object.entries(questions).filter(([, { tokens = 0 }]) => tokens <= maxLength),
      );
      const before = await stageOf(context, first, fits);
      const { ropeTheta, maxPositions } = extension;
      const second = await train(context, `${name}-2`, {
        ...extension.training,
        seed,
        model: { checkpoint: first.checkpoint, ropeTheta, maxPositions },
      });
      return { kind: 'training', before, after: await stageOf(context, second, questions) };
    },
  };
}

async function stageOf(
  context: JobContext,
  { checkpoint, metrics }: TrainedRun,
  questions: Record<string, Questions>,
): Promise<Stage> {
  const last = metrics.evaluations.at(-1);
  if (!last) throw new Error('the trainings of this experiment need an "evaluation"');
  const right: Stage['right'] = {};
  for (const [name, asked] of Object.entries(questions)) {
    right[name] = await shareRight(context, checkpoint, asked);
  }
  const losses = Object.entries(last.byLabel).map(([label, { loss }]) => [label, loss]);
  return {
    loss: last.loss,
    lossByLabel: Object.fromEntries(losses),
    curve: thin(metrics.steps, curvePoints).map(({ step, loss }) => [step, loss]),
    right,
  };
}

function decodingJob({ decoding }: AttentionConfig, variant: Variant): Job<AttentionOutcome> {
  return {
    name: decodingJobName(variant),
    settings: { window: variant.window, decoding },
    isTimed: true,
    async run({ device, progress }) {
      const shape = shapeOf(decoding.shape, variant);
      const config = parseHubConfig({ ...shape, num_nextn_predict_layers: 0 }, 'decoding.shape');
      const model = await initializeModel(device, config, 1);
      try {
        const contexts: DecodingPoint[] = [];
        for (const context of decoding.contexts) {
          progress(`context ${context}`);
          const batch = new DecodingBatch(
            model,
            { sequences: 1, length: context },
            { cacheType: 'f32' },
          );
          try {
            batch.open();
            batch.prefill(1);
            await batch.steps({ seconds: decoding.seconds / 3 });
            const { steps, seconds } = await batch.steps({ seconds: decoding.seconds });
            const { cache } = describeModel({ ...config, maxPositions: context });
            contexts.push({
              context,
              cacheBytes: cache.bytesAtFullContext,
              millisecondsPerToken: (1000 * seconds) / steps,
            });
          } finally {
            batch.release();
          }
        }
        return { kind: 'decoding', contexts };
      } finally {
        releaseModel(model);
      }
    },
  };
}

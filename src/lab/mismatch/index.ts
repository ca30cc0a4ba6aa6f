/**
 * How far the policy that samples is from the one that is trained: by number format of the rollouts' weights
 * and caches, with drafts, with the rollouts' routes replayed in training (R3) and without; and what
 * training without the replay does.
 */
import { openPolicyRun } from '../../rl/run/open-policy-run.ts';
import { meanOf, thin } from '../../series.ts';
import type { Experiment, Job } from '../experiment.ts';
import { beginAnew, policyConfigOf, trainPolicy } from '../policy.ts';
import {
  type Format,
  formatJobName,
  gatedShare,
  type MismatchConfig,
  type MismatchOutcome,
  mismatchSchema,
  runJobName,
} from './outcome.ts';
import { mismatchReport } from './report.ts';

export const mismatch: Experiment<MismatchConfig, MismatchOutcome> = {
  name: 'mismatch',
  description:
    'log-probabilities of rollouts against training, by number format, with R3 and without',
  schema: mismatchSchema,
  jobs: (config) => [
    ...config.formats.map((format) => formatJob(config, format)),
    ...config.training.seeds.flatMap((seed) =>
      [true, false].map((replay) => runJob(config, replay, seed)),
    ),
  ],
  report: mismatchReport,
};

/** Most points of a curve that are kept. */
const curvePoints = 120;

/** Samples one batch and scores it twice; nothing is learnt. */
function formatJob({ policy, start }: MismatchConfig, format: Format): Job<MismatchOutcome> {
  const name = formatJobName(format);
  const { name: _, ...numbers } = format;
  // Whatever is drawn counts, not only what has signal.
  const schedule = { ...policy.schedule, requireSignal: false };
  const sampled = { ...policy, ...numbers, schedule };
  return {
    name,
    settings: { policy: sampled, start },
    async run(context) {
      await beginAnew(context, name);
      const config = await policyConfigOf(context, name, { policy: sampled, start });
      context.progress('sampling');
      const run = await openPolicyRun(context.device, config);
      try {
        const { groups } = await run.scheduler.next();
        const { acceptanceLength } = run.drawn.take();
        const trajectories = groups.flatMap((group) => group.trajectories);
        context.progress('scoring');
        const replayed = await run.trainer.mismatch(trajectories, { replay: true });
        const own = await run.trainer.mismatch(trajectories, { replay: false });
        return { kind: 'format', sequences: trajectories.length, acceptanceLength, replayed, own };
      } finally {
        await run.release();
      }
    },
  };
}

function runJob(config: MismatchConfig, replay: boolean, seed: number): Job<MismatchOutcome> {
  const { policy, start, formats, training } = config;
  const name = runJobName(replay, seed);
  const { name: _, ...numbers } = formats.find((format) => format.name === training.format)!;
  const trained = { ...policy, ...numbers, replay, seed };
  return {
    name,
    settings: { policy: trained, start },
    async run(context) {
      const { steps, accuracies } = await trainPolicy(context, name, { policy: trained, start });
      const points = steps.map(({ step, reward, mismatch: figures }) => {
        const { klPositive, largestGap } = figures;
        return { step, reward, klPositive, largestGap, gated: gatedShare(figures) };
      });
      return {
        kind: 'run',
        curve: thin(points, curvePoints),
        accuracy: accuracies.map(({ step, scores }) => [step, meanOf(Object.values(scores))]),
      };
    },
  };
}

/** Begins a run of reinforcement learning, or opens one that was stopped, from its newest checkpoint. */
import { join } from 'node:path';
import { findCheckpoint } from '../../checkpoint/checkpoint-directory.ts';
import { openCheckpoint } from '../../checkpoint/load.ts';
import { loadModel } from '../../checkpoint/load-model.ts';
import type { LoadedText } from '../../data/open-sources.ts';
import { releaseModel, type TrainableModel } from '../../model/weights.ts';
import type { Device } from '../../tensor/device.ts';
import { assertFits, assertPrecision, scheduleOf } from '../../train/open-run.ts';
import { loadChanged, loadText } from '../../train/prepare.ts';
import { RunDirectory } from '../../train/run-directory.ts';
import { loadMoments } from '../../train/state.ts';
import type { Algorithm } from '../algorithms/algorithm.ts';
import { grpo } from '../algorithms/grpo.ts';
import { mopd } from '../algorithms/mopd.ts';
import { trajectoryProblem } from '../check-trajectory.ts';
import { DrawnTokens } from '../rollout/drawn-tokens.ts';
import { rolloutsOf } from '../rollout/rollout.ts';
import { JournalFile } from '../scheduler/journal.ts';
import { SequenceScheduler } from '../scheduler/scheduler.ts';
import type {
  DataScheduler,
  RewardFunction,
  Rollout,
  ScheduledSource,
} from '../scheduler/types.ts';
import { openTeachers } from '../teachers/open-teachers.ts';
import type { TeacherRegistry } from '../teachers/registry.ts';
import { sessionResources, type ToolsConfig } from '../tools/config.ts';
import { problemTools } from '../tools/problem-tools.ts';
import { LocalToolbox } from '../tools/toolbox.ts';
import type { Toolbox } from '../tools/types.ts';
import { PolicyTrainer } from '../trainer/policy-trainer.ts';
import type { PolicyConfig } from './config.ts';
import { assertSamePolicyRun, type PolicyState, readPolicyState } from './policy-state.ts';
import { openQuestions, programThreadsOf, rewardOf } from './questions.ts';
import { Sampler } from './sampler.ts';

const JOURNAL_FILE = 'sequences.journal';

export interface PolicyRun {
  directory: RunDirectory;
  /** The newest checkpoint. */
  checkpoint: string | null;
  state: PolicyState;
  text: LoadedText;
  trainer: PolicyTrainer;
  sampler: Sampler;
  rollout: Rollout;
  /** What rollouts have drawn since the last step. */
  drawn: DrawnTokens;
  reward: RewardFunction;
  toolbox: Toolbox;
  scheduler: DataScheduler;
  /** The sources' problems that are never trained on, if the run evaluates. */
  heldOut: ScheduledSource[];
  algorithm: Algorithm;
  /** Null where rewards alone teach. */
  teachers: TeacherRegistry | null;
  /** Frees all that belongs to it. */
  release(): Promise<void>;
}

/** @throws UserError when something that the config names is missing or does not fit */
export async function openPolicyRun(device: Device, config: PolicyConfig): Promise<PolicyRun> {
  const directory = await RunDirectory.open(config.output);
  const checkpoint = await directory.newestCheckpoint();
  const state = checkpoint ? await readPolicyState(checkpoint) : newState(config);
  if (checkpoint) assertSamePolicyRun(config, state, checkpoint);
  assertPrecision(device, checkpoint && config.precision === 'auto' ? state : config);
  state.precision = device.precision;
  await directory.trimMetrics(state.step);
  const start = await findCheckpoint(config.model.checkpoint);
  const text = await loadText(checkpoint ?? start);

  // Released in the opposite order, also if the next one cannot be opened.
  const open: (() => void | Promise<void>)[] = [];
  const release = async () => {
    for (const close of open.splice(0).reverse()) await close();
  };
  try {
    const model = await openModel(device, config, checkpoint);
    open.push(() => releaseModel(model));
    assertFits(model, text.text, config);
    const trainer = newTrainer(model, config);
    open.push(() => trainer.release());
    if (checkpoint) await loadMoments(checkpoint, model, trainer.optimizer);
    trainer.optimizer.stepCount = state.updates;

    const sampler = await Sampler.open(model, text.text, config, state.step);
    open.push(() => sampler.release());
    const teachers = await openTeachersOf(device, config, { checkpoint: start, text: text.text });
    if (teachers) open.push(() => teachers.close());

    const threads = programThreadsOf(config);
    open.push(() => threads.close());
    const { toolbox, tools } = openTools(config.tools);
    open.push(() => toolbox.close());
    const drawn = new DrawnTokens();
    const rollout = rolloutsOf({
      drawn,
      engine: sampler.engine,
      config: model.config,
      text: text.text,
      contextTokens: config.maxLength,
      ...(config.drafts !== undefined && { drafts: config.drafts }),
      openTools: async ({ id, prompt: { problem } }, signal) =>
        problem.openTools ? tools.open({ sequence: id, problem }, { signal }) : null,
    });
    const asking = { directory: directory.path, text: text.text, threads };
    const heldOut = config.evaluation ? await openQuestions(config, 'test', asking) : [];
    const reward = rewardOf(config);
    const scheduler = await SequenceScheduler.open({
      sources: await openQuestions(config, 'train', asking),
      rollout,
      reward,
      options: config.schedule,
      journal: new JournalFile(join(directory.path, JOURNAL_FILE)),
      trained: state.step,
      // Else the trainer would refuse it, and the run end for one sequence.
      problemOf: (trajectory) => trajectoryProblem(trajectory, model.config),
    });
    open.push(() => scheduler.close());
    const algorithm = config.stage === 'teacher' ? grpo(config.grpo) : mopd(config.mopd);
    const rollouts = { sampler, rollout, drawn, reward, scheduler, heldOut, toolbox };
    const learning = { trainer, algorithm, teachers };
    return { directory, checkpoint, state, text, ...rollouts, ...learning, release };
  } catch (error) {
    await release();
    throw error;
  }
}

function newState(config: PolicyConfig): PolicyState {
  return { kind: 'policy', step: 0, updates: 0, tokens: 0, seconds: 0, precision: 'f32', config };
}

function openTools(config: ToolsConfig) {
  const { all, each } = sessionResources(config);
  const toolbox = new LocalToolbox(all);
  const { callTimeoutSeconds, restarts, rate } = config;
  // One that waits behind another that hangs still has its time.
  const callTimeout = 2 * 1000 * callTimeoutSeconds;
  const kind = { needs: each, callTimeout, restarts, ...(rate && { rate }) };
  return { toolbox, tools: toolbox.environments(problemTools(kind)) };
}

async function openModel(
  device: Device,
  { model: { checkpoint: path, mtpHeads } }: PolicyConfig,
  checkpoint: string | null,
): Promise<TrainableModel> {
  if (checkpoint) return loadModel(device, checkpoint);
  const start = await openCheckpoint(path);
  try {
    return await loadChanged(device, start, { mtpHeads });
  } finally {
    await start.close();
  }
}

function newTrainer(model: TrainableModel, config: PolicyConfig): PolicyTrainer {
  return new PolicyTrainer(model, {
    schedule: scheduleOf(config),
    adamw: { ...config.adamw, clipNorm: config.clipNorm },
    microBatchTokens: config.microBatchTokens,
    replay: config.replay,
    freezeRouter: config.freezeRouter,
    mtpLossWeight: config.mtpLossWeight,
    expertBiasRate: config.expertBiasRate,
    balanceCoefficient: config.balanceCoefficient,
    recompute: config.recompute,
  });
}

async function openTeachersOf(
  device: Device,
  config: PolicyConfig,
  student: { checkpoint: string; text: LoadedText['text'] },
): Promise<TeacherRegistry | null> {
  if (config.stage === 'teacher') return null;
  const domains = [...new Set(config.sources.map(({ domain }) => domain))];
  const { microBatchTokens } = config;
  return openTeachers(config.teachers, domains, { device, student, microBatchTokens });
}

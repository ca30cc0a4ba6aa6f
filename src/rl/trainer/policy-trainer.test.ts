import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sample } from '../../../test/rl/rollouts.ts';
import { smallConfig } from '../../../test/train/small-model.ts';
import { createReferenceDevice } from '../../device/reference/device.ts';
import { initializeModel } from '../../model/initialize.ts';
import { releaseModel, type TrainableModel } from '../../model/weights.ts';
import type { Device } from '../../tensor/device.ts';
import { readFloats } from '../../tensor/scope.ts';
import { trainingBatch } from '../../train/targets.ts';
import { Trainer } from '../../train/trainer.ts';
import type { Algorithm, Example } from '../algorithms/algorithm.ts';
import { mopd } from '../algorithms/mopd.ts';
import { sft } from '../algorithms/sft.ts';
import type { Trajectory } from '../trajectory.ts';
import { packTrajectories } from './policy-batch.ts';
import { PolicyTrainer, type PolicyTrainerOptions } from './policy-trainer.ts';

const device = createReferenceDevice();
const prompts = [
  [1, 5, 3],
  [2, 7, 4, 9],
];
let model: TrainableModel;
let rollouts: Trajectory[];

beforeAll(async () => {
  model = await initializeModel(device, smallConfig, 5);
  rollouts = await sample(model, { prompts, samples: 2, maxTokens: 9 });
});

afterAll(() => {
  releaseModel(model);
  expect(device.allocatedBytes).toBe(0);
});

const options: PolicyTrainerOptions = {
  schedule: () => 1e-3,
  adamw: { weightDecay: 0 },
  microBatchTokens: 64,
  mtpLossWeight: 0,
};

/** A step of a copy of the model, and the parameters after it. */
async function stepOf(
  examples: readonly Example[],
  algorithm: Algorithm,
  changes: Partial<PolicyTrainerOptions> = {},
) {
  const copy = await initializeModel(device, smallConfig, 5);
  const trainer = new PolicyTrainer(copy, { ...options, ...changes });
  try {
    const metrics = await trainer.step(examples, algorithm, 0);
    return { metrics, parameters: await valuesOf(copy) };
  } finally {
    trainer.release();
    releaseModel(copy);
  }
}

async function valuesOf({ parameters }: TrainableModel): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const [name, tensor] of parameters) values.set(name, await readFloats(device, tensor));
  return values;
}

/** Each token's own constant, so that no two weigh the same. */
const anyWeights: Algorithm = {
  name: 'any',
  topCount: 0,
  begin: (examples) => (index) => {
    const { sampled } = examples[index]!.trajectory;
    const weights = Float32Array.from(sampled, (one, t) => (one ? Math.sin(index + 3 * t) : 0));
    return { weights, top: new Float32Array(0), sums: { drawn: count(sampled) } };
  },
};
const count = (sampled: Uint8Array) => sampled.filter((one) => one === 1).length;

const alone = (trajectories: readonly Trajectory[]) =>
  trajectories.map((trajectory) => ({ trajectory, teacher: null }));

describe('routing replay', () => {
  test.each([
    'none',
    'layers',
  ] as const)('consumes each route once, recompute %s', async (recompute) => {
    const { metrics } = await stepOf(alone(rollouts), anyWeights, { recompute });
    const positions = rollouts.reduce((sum, { tokens }) => sum + tokens.length - 1, 0);
    expect(metrics.routesReplayed).toBe(2 * positions);
    expect(metrics.sampledTokens).toBe(4 * 9);
    expect(metrics.algorithm).toEqual({ drawn: 1 });
  });

  test('is the same step in one micro-batch, in several, and with layers computed again', async () => {
    const one = await stepOf(alone(rollouts), anyWeights);
    const many = await stepOf(alone(rollouts), anyWeights, { microBatchTokens: 13 });
    const again = await stepOf(alone(rollouts), anyWeights, { recompute: 'layers' });
    expect(one.metrics.microBatches).toBe(1);
    expect(many.metrics.microBatches).toBe(4);
    expect(many.metrics.loss).toBeCloseTo(one.metrics.loss, 5);
    expect(many.metrics.gradient.norm / one.metrics.gradient.norm).toBeCloseTo(1, 5);
    expect(again.parameters).toEqual(one.parameters);
    expect(again.metrics).toEqual(one.metrics);
  });

  test('has micro-batches of about one size, as few as fit', () => {
    const copies = [...rollouts, ...rollouts, ...rollouts];
    const longest = Math.max(...copies.map(({ tokens }) => tokens.length));
    const total = copies.reduce((sum, { tokens }) => sum + tokens.length, 0);
    const budget = Math.ceil(total / 3) + longest;
    const batches = packTrajectories(alone(copies), { budget, replay: true, topCount: 0 });
    expect(batches).toHaveLength(Math.ceil(total / budget));
    const sizes = batches.map(({ batch }) => batch.tokens.length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(longest);
    const members = batches.flatMap((batch) => batch.members).sort((a, b) => a - b);
    expect(members).toEqual([...copies.keys()]);
  });

  test('without it the router chooses, and nothing is counted', async () => {
    const routeless = alone(rollouts.map((trajectory) => ({ ...trajectory, routes: null })));
    const { metrics } = await stepOf(routeless, anyWeights, { replay: false });
    expect(metrics.routesReplayed).toBe(0);
    await expect(stepOf(routeless, anyWeights)).rejects.toThrow(
      'trajectory 0.0: has no routes to replay; record them in rollouts, or switch the replay off',
    );
  });

  test('gives the router no gradient where it is frozen', async () => {
    const { metrics, parameters } = await stepOf(alone(rollouts), anyWeights, {
      freezeRouter: true,
      expertBiasRate: 0,
    });
    const router = 'model.layers.1.mlp.gate.weight';
    expect(parameters.get(router)).toEqual(await readFloats(device, model.parameters.get(router)!));
    expect(metrics.updated).toBe(true);
    expect(metrics.gradient.parts.some(({ name }) => name === router)).toBe(false);
  });
});

describe("the sampler's log-probabilities", () => {
  // At temperature 0.3 the policy that draws is another one; its log-probabilities would not do.
  test.each([1, 0.3])('are those of the trainer, drawn at temperature %d', async (temperature) => {
    const drawn = await sample(model, { prompts, samples: 4, maxTokens: 12, temperature });
    const trainer = new PolicyTrainer(model, { ...options, microBatchTokens: 200 });
    for (const replay of [true, false]) {
      const found = await trainer.mismatch(drawn, { replay });
      expect(found.tokens).toBe(8 * 12);
      expect(found.largestGap).toBeLessThan(1e-4);
      expect(found.klPositive).toBeLessThan(1e-8);
      expect(found.below + found.above).toBe(0);
    }
    trainer.release();
  });

  test('differ where other experts are replayed, and the figures say how much', async () => {
    const drifted = rollouts.map((trajectory) => ({
      ...trajectory,
      routes: {
        ...trajectory.routes!,
        experts: trajectory.routes!.experts.map((expert) => (expert + 1) % 4),
      },
    }));
    const trainer = new PolicyTrainer(model, options);
    const found = await trainer.mismatch(drifted, { replay: true });
    expect(found.klPositive).toBeGreaterThan(1e-3);
    expect((await trainer.mismatch(drifted, { replay: false })).klPositive).toBeLessThan(1e-8);
    trainer.release();
  });
});

describe('a step of the trainer', () => {
  test('reads what tools answered, and learns nothing of it', async () => {
    const answered = rollouts.map((trajectory) => ({
      ...trajectory,
      sampled: trajectory.sampled.map((one, i) => (i >= 5 && i < 8 ? 0 : one)),
      logprobs: trajectory.logprobs.map((logprob, i) => (i >= 5 && i < 8 ? 0 : logprob)),
      versions: trajectory.versions.map((version, i) => (i >= 5 && i < 8 ? -1 : version)),
    }));
    let live: Float32Array[] = [];
    const watching: Algorithm = {
      ...anyWeights,
      begin: (examples, version) => (index, now) => {
        live[index] = now.logprobs;
        return anyWeights.begin(examples, version)(index, now);
      },
    };
    await stepOf(alone(rollouts), watching);
    const whole = live;
    live = [];
    const { metrics } = await stepOf(alone(answered), watching);
    expect(metrics.sampledTokens).toBe(4 * (9 - 3));
    // Routes go on through them, and what comes after is as probable as it was.
    expect(metrics.mismatch.largestGap).toBeLessThan(1e-4);
    answered.forEach(({ sampled }, i) => {
      const wanted = whole[i]!.map((logprob, j) => (sampled[j] ? logprob : 0));
      expect(live[i]).toEqual(wanted);
    });
  });

  test('changes nothing where the teacher is the student, momentum or not', async () => {
    const copy = await initializeModel(device, smallConfig, 5);
    const trainer = new PolicyTrainer(copy, { ...options, adamw: { weightDecay: 0.1 } });
    await trainer.step(alone(rollouts), anyWeights, 0);
    const before = await valuesOf(copy);
    // Whatever the trainer has for π_θ, the teacher has too.
    const itself: Algorithm = {
      ...mopd({ alpha: 0 }),
      begin: (examples, version) => (index, live) => {
        const teacher = { logprobs: live.logprobs, top: null };
        const taught = examples.map(({ trajectory }) => ({ trajectory, teacher }));
        return mopd({ alpha: 0 }).begin(taught, version)(index, live);
      },
    };
    const metrics = await trainer.step(alone(rollouts), itself, 0);
    expect(metrics.updated).toBe(false);
    expect(metrics.gradient.norm).toBe(0);
    expect(metrics.gradient.zeros).toBe(metrics.gradient.size);
    expect(await valuesOf(copy)).toEqual(before);
    trainer.release();
    releaseModel(copy);
  });

  test('by SFT is the step of pre-training on the same tokens', async () => {
    const routeless = rollouts.map((trajectory) => ({ ...trajectory, routes: null }));
    const ours = await stepOf(alone(routeless), sft(), {
      replay: false,
      mtpLossWeight: 0.3,
      mtpGradient: 'trunk',
      expertBiasRate: 1e-3,
    });
    const copy = await initializeModel(device, smallConfig, 5);
    const trainer = new Trainer(copy, {
      schedule: () => 1e-3,
      adamw: { weightDecay: 0 },
      mtpLossWeight: 0.3,
      expertBiasRate: 1e-3,
      balanceCoefficient: 0,
      recompute: 'none',
    });
    const batch = trainingBatch(
      rollouts.map(({ tokens }) => tokens),
      rollouts.map(({ sampled }) => sampled),
    );
    const theirs = await trainer.step([batch]);
    expect(ours.metrics.loss).toBeCloseTo(theirs.loss, 5);
    expect(ours.metrics.entropy).toBeCloseTo(theirs.entropy, 5);
    ours.metrics.mtpLosses.forEach((loss, head) => {
      expect(loss).toBeCloseTo(theirs.mtpLosses[head]!, 5);
    });
    expect(ours.metrics.gradient.norm / theirs.gradientNorm).toBeCloseTo(1, 5);
    trainer.release();
    releaseModel(copy);
  });

  test('trains MTP heads along, and by default nothing else by their loss', async () => {
    const partsOf = async (changes: Partial<PolicyTrainerOptions>) => {
      const { metrics } = await stepOf(alone(rollouts), anyWeights, changes);
      return new Map(metrics.gradient.parts.map((part) => [`${part.name} ${part.expert}`, part]));
    };
    const without = await partsOf({});
    const along = await partsOf({ mtpLossWeight: 0.5 });
    const through = await partsOf({ mtpLossWeight: 0.5, mtpGradient: 'trunk' });
    let moved = 0;
    for (const [key, part] of without) {
      if (part.name.includes('.mtp.')) {
        expect(part.norm).toBe(0);
        expect(along.get(key)!.norm).toBeGreaterThan(0);
      } else {
        expect(along.get(key)!.norm).toBe(part.norm);
        moved += through.get(key)!.norm === part.norm ? 0 : 1;
      }
    }
    expect(moved).toBeGreaterThan(20);
  });

  test('counts how old tokens are, and refuses those that are yet to be drawn', async () => {
    const [first, ...others] = rollouts;
    const versions = first!.versions.map((version, i) => (version < 0 || i < 8 ? version : 2));
    const mixed = [{ ...first!, versions }, ...others];
    const copy = await initializeModel(device, smallConfig, 5);
    const trainer = new PolicyTrainer(copy, options);
    const { staleness } = await trainer.step(alone(mixed), anyWeights, 3);
    expect(staleness).toEqual({ mean: 3 - (4 * 2) / 36, max: 3 });
    await expect(trainer.step(alone(mixed), anyWeights, 1)).rejects.toThrow(
      'trajectory 0.0: was drawn by version 2 of the weights, and version 1 is trained',
    );
    trainer.release();
    releaseModel(copy);
  });

  test('names what is wrong with a trajectory', async () => {
    const [first] = rollouts;
    const broken = (changes: Partial<Trajectory>) =>
      stepOf(alone([{ ...first!, ...changes }]), anyWeights);
    await expect(broken({ logprobs: new Float32Array(3) })).rejects.toThrow(
      'trajectory 0.0: has 12 tokens and 3 entries in "logprobs"',
    );
    await expect(broken({ tokens: first!.tokens.with(4, 24) })).rejects.toThrow(
      'trajectory 0.0: token 4 is 24, of 24',
    );
    await expect(broken({ logprobs: first!.logprobs.with(5, Number.NaN) })).rejects.toThrow(
      'trajectory 0.0: has log-probability NaN at sampled token 5',
    );
    const routes = { ...first!.routes!, experts: first!.routes!.experts.slice(4) };
    await expect(broken({ routes })).rejects.toThrow(
      'trajectory 0.0: has routes of 10 positions for 12 tokens, of which the last has none',
    );
    await expect(stepOf(alone(rollouts), anyWeights, { microBatchTokens: 12 })).rejects.toThrow(
      /^trajectory 1.0: its 13 tokens do not fit into a micro-batch of 12; /,
    );
  });

  test('computes a gradient that leaves the range of f16 again, with more room', async () => {
    const once = await stepOf(alone(rollouts), anyWeights);
    const { kernels } = device;
    // As products in f16 do: infinities become no numbers.
    const rounding = (most: number): Device => ({
      ...device,
      precision: 'mixed',
      allocate: (bytes) => device.allocate(bytes),
      release: (storage) => device.release(storage),
      read: (...place) => device.read(...place),
      write: (...place) => device.write(...place),
      kernels: {
        ...kernels,
        matmul: (call) => {
          kernels.matmul(call);
          if ((call.scaleA ?? 0) > most) kernels.fill({ out: call.out, value: Number.NaN });
        },
      },
    });
    const stepWith = async (most: number) => {
      const copy = await initializeModel(device, smallConfig, 5);
      const trainer = new PolicyTrainer({ ...copy, device: rounding(most) }, options);
      try {
        const metrics = await trainer.step(alone(rollouts), anyWeights, 0);
        return { metrics, parameters: await valuesOf(copy) };
      } finally {
        trainer.release();
        releaseModel(copy);
      }
    };
    const again = await stepWith(16);
    expect(once.metrics.gradientHeadroom).toBe(1);
    expect(again.metrics.gradientHeadroom).toBe(1024);
    expect(again.parameters).toEqual(once.parameters);
    expect(again.metrics.routesReplayed).toBe(once.metrics.routesReplayed);
    await expect(stepWith(2 ** -30)).rejects.toThrow("the gradient's norm is NaN");
  });

  test('leaves the parameters where weights are no numbers', async () => {
    const copy = await initializeModel(device, smallConfig, 5);
    const trainer = new PolicyTrainer(copy, options);
    const before = await valuesOf(copy);
    const mad: Algorithm = {
      ...anyWeights,
      begin: (examples) => (index) => {
        const { sampled } = examples[index]!.trajectory;
        const weights = Float32Array.from(sampled, (one) => (one ? Number.NaN : 0));
        return { weights, top: new Float32Array(0), sums: {} };
      },
    };
    await expect(trainer.step(alone(rollouts), mad, 0)).rejects.toThrow(/training diverged/);
    expect(await valuesOf(copy)).toEqual(before);
    // Nothing of it is left for the next step.
    expect((await trainer.step(alone(rollouts), anyWeights, 0)).step).toBe(1);
    expect(await valuesOf(copy)).toEqual((await stepOf(alone(rollouts), anyWeights)).parameters);
    trainer.release();
    releaseModel(copy);
  });
});

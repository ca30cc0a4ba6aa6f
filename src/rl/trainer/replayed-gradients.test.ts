/**
 * Gradients through replayed routing. The routes here are drifted: experts that the live router would not
 * choose. An implementation that takes their weights out of the scores that its own top-k left over reads
 * zeros for these, and kills the gradient without a word.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sample } from '../../../test/rl/rollouts.ts';
import { smallConfig } from '../../../test/train/small-model.ts';
import { createReferenceDevice } from '../../device/reference/device.ts';
import { packDocuments } from '../../model/batch.ts';
import { initializeModel } from '../../model/initialize.ts';
import { trunk } from '../../model/trunk.ts';
import { releaseModel, type TrainableModel } from '../../model/weights.ts';
import { Random } from '../../random.ts';
import { readFloats, readInts, Scope } from '../../tensor/scope.ts';
import { allocateGradients, releaseGradients } from '../../train/gradients.ts';
import { forwardBackward, score } from '../../train/objective.ts';
import { stepTotals } from '../../train/targets.ts';
import type { Example } from '../algorithms/algorithm.ts';
import { mopd } from '../algorithms/mopd.ts';
import type { Trajectory } from '../trajectory.ts';
import { type PolicyBatch, packTrajectories } from './policy-batch.ts';
import { RouteAudit } from './route-audit.ts';

const device = createReferenceDevice();
const { count, perToken } = smallConfig.experts;
let model: TrainableModel;
let examples: Example[];
let packed: PolicyBatch;

beforeAll(async () => {
  model = await initializeModel(device, smallConfig, 5);
  const drawn = await sample(model, { prompts: [[1, 5, 3], [2]], samples: 1, maxTokens: 7 });
  examples = drawn.map((trajectory, i) => ({
    trajectory: { ...drifted(trajectory), group: 'one', reward: i },
    teacher: teacherOf(trajectory),
  }));
  [packed] = packTrajectories(examples, { budget: 64, replay: true, topCount: 2 }) as [PolicyBatch];
});

afterAll(() => {
  releaseModel(model);
  expect(device.allocatedBytes).toBe(0);
});

/** Routes to the experts that were not chosen: none of them is the live router's. */
function drifted(trajectory: Trajectory): Trajectory {
  const routes = trajectory.routes!;
  const experts = new Uint8Array(routes.experts.length);
  for (let begin = 0; begin < experts.length; begin += perToken) {
    const chosen = routes.experts.subarray(begin, begin + perToken);
    const others = Array.from({ length: count }, (_, e) => e).filter((e) => !chosen.includes(e));
    experts.set(others.slice(0, perToken), begin);
  }
  return { ...trajectory, routes: { ...routes, experts } };
}

/** Something to learn from: other log-probabilities than the student's. */
function teacherOf({ tokens, logprobs, sampled }: Trajectory) {
  const noise = new Random(3, 'teacher').normals(tokens.length, 1);
  return {
    logprobs: logprobs.map((logprob, t) => (sampled[t] ? logprob + noise[t]! : 0)),
    top: {
      count: 2,
      tokens: Int32Array.from({ length: 2 * tokens.length }, (_, i) => (7 * i) % 24),
      logprobs: Float32Array.from({ length: 2 * tokens.length }, (_, i) => (i % 2 ? -1 : -2)),
    },
  };
}

/** The step's weights by target, computed from π_θ as the trainer would. */
function weigher(algorithm = mopd({ alpha: 0.5, topTokens: 2, correction: { kind: 'none' } })) {
  const weigh = algorithm.begin(examples, 0);
  return (logProbability: Float32Array) =>
    packed.pack(packed.unpack(logProbability).map(({ index, live }) => weigh(index, live)));
}

describe('the gradient through replayed routes', () => {
  test('is that of finite differences, in every parameter, with weights held', async () => {
    const { batch } = packed;
    const totals = stepTotals([batch], 0);
    const gradients = allocateGradients(model);
    let held = new Float32Array(0);
    const result = await forwardBackward(model, gradients, batch, {
      totals,
      mtpLossWeight: 0,
      weigh: (live) => {
        held = weigher()(live) as typeof held;
        return held;
      },
    });
    expect(held.length).toBe(3 * 14);
    expect(held.every((weight) => weight !== 0)).toBe(true);
    // sg[·]: the weights are of these parameters, and no part of what is differentiated.
    const lossAt = async () => {
      const { logProbability } = (await score(model, batch, 0)).nextToken;
      return logProbability.reduce((sum, value, i) => sum - held[i]! * value, 0);
    };
    expect(result.nextToken.lossSum).toBeCloseTo(await lossAt(), 5);

    let index = 0;
    for (const [parameter, gradient] of gradients) {
      const values = await readFloats(device, parameter);
      const direction = new Random(index++).normals(values.length, values.length ** -0.5);
      const found = await readFloats(device, gradient);
      const slope = found.reduce((sum, value, i) => sum + value * direction[i]!, 0);
      const step = 2e-3;
      const at = async (distance: number) => {
        const moved = values.map((value, i) => value + distance * direction[i]!);
        device.write(parameter.storage, parameter.byteOffset, moved);
        return lossAt();
      };
      const difference = ((await at(step)) - (await at(-step))) / (2 * step);
      device.write(parameter.storage, parameter.byteOffset, values);
      expect(Math.abs(slope - difference)).toBeLessThan(3e-4 + 2e-3 * Math.abs(difference));
    }
    expect(index).toBeGreaterThan(40);
    releaseGradients(model, gradients);
  });

  test('reaches the rows of the router that belong to drifted experts', async () => {
    const gradients = allocateGradients(model);
    await forwardBackward(model, gradients, packed.batch, {
      totals: stepTotals([packed.batch], 0),
      mtpLossWeight: 0,
      weigh: weigher(),
    });
    for (const [layer, experts] of packed.batch.routes!.entries()) {
      const router = model.parameters.get(`model.layers.${layer + 1}.mlp.gate.weight`)!;
      const gradient = await readFloats(device, gradients.get(router)!);
      for (const expert of new Set(experts)) {
        const row = gradient.subarray(expert * 12, (expert + 1) * 12);
        expect(row.some((value) => Math.abs(value) > 1e-6)).toBe(true);
      }
    }
    releaseGradients(model, gradients);
  });
});

test('weights of drifted experts are live scores over their sum, and not zeros', async () => {
  const scope = new Scope(device);
  const { routes, tokens } = packed.batch as Required<typeof packed.batch>;
  const rows = packDocuments(
    scope,
    examples.map(({ trajectory }) => trajectory.tokens),
  );
  const replay = routes.map((experts) => scope.from([tokens.length, perToken], experts));
  const passed = trunk(scope, model, rows, { replay });
  for (const route of passed.routes) {
    const [logits, experts, weights] = [
      await readFloats(device, route.logits),
      await readInts(device, route.experts),
      await readFloats(device, route.weights),
    ];
    tokens.forEach((_, t) => {
      const chosen = [...experts.subarray(t * perToken, (t + 1) * perToken)];
      const live = chosen.map((expert) => 1 / (1 + Math.exp(-logits[t * count + expert]!)));
      const total = live.reduce((sum, value) => sum + value, 0);
      live.forEach((value, j) => {
        expect(weights[t * perToken + j]).toBeCloseTo(value / total, 5);
      });
    });
  }
  scope.close();
});

test('weights are of the forward pass whose gradient is taken', async () => {
  const { nextToken } = await score(model, packed.batch, 0);
  let seen: Float32Array | null = null;
  const result = await forwardBackward(model, new Map(), packed.batch, {
    totals: stepTotals([packed.batch], 0),
    mtpLossWeight: 0,
    weigh: (live) => {
      expect(seen).toBeNull();
      seen = live.slice();
      return live.map(() => 0.5);
    },
  });
  expect(seen).toEqual(nextToken.logProbability);
  expect(result.nextToken.logProbability).toEqual(nextToken.logProbability);
  expect(result.nextToken.targets.weights.every((weight) => weight === 0.5)).toBe(true);
});

test.each([
  'none',
  'layers',
] as const)('gradients are scaled to what f16 holds, recompute %s', async (recompute) => {
  const scaleOf = async (weightAt: (i: number) => number) => {
    const scales = new Set<number | undefined>();
    const { kernels } = device;
    const watched = {
      ...device,
      kernels: {
        ...kernels,
        matmul: (a: Parameters<typeof kernels.matmul>[0]) => {
          scales.add(a.scaleA);
          kernels.matmul(a);
        },
      },
    };
    const gradients = allocateGradients(model);
    await forwardBackward({ ...model, device: watched }, gradients, packed.batch, {
      totals: stepTotals([packed.batch], 0),
      mtpLossWeight: 0,
      recompute,
      weigh: (live) => live.map((_, i) => weightAt(i)),
    });
    releaseGradients(model, gradients);
    scales.delete(undefined);
    expect(scales.size).toBe(1);
    return [...scales][0]!;
  };
  expect(await scaleOf(() => 2 ** -20)).toBe(2 ** 26);
  expect(await scaleOf((i) => (i % 2 ? 0 : -(2 ** -7)))).toBe(2 ** 13);
  // One token that is a million times the others must not overflow.
  expect(await scaleOf((i) => (i === 3 ? 1 : 1e-6))).toBeLessThanOrEqual(2 ** 8);
});

describe('the audit of routes', () => {
  const finish = { layers: 1, rows: 3, recomputes: false };

  function useOnce(times: { forward: number; backward: number; choices?: number }) {
    const audit = new RouteAudit(device);
    const { kernels } = audit.device;
    const scope = new Scope(device);
    const logits = scope.zeros([3, 4]);
    const experts = scope.from([3, 2], Int32Array.of(0, 1, 2, 3, 1, 2));
    const weights = scope.zeros([3, 2]);
    const shared = { logits, experts, normalize: true, scale: 1 };
    for (let i = 0; i < times.forward; i++) kernels.expertWeights({ ...shared, weights });
    for (let i = 0; i < times.backward; i++) {
      const dLogits = scope.zeros([3, 4]);
      kernels.expertWeightsBackward({ ...shared, dWeights: weights, dLogits });
    }
    for (let i = 0; i < (times.choices ?? 0); i++) {
      const bias = scope.zeros([4]);
      kernels.selectExperts({ logits, bias, groups: 1, selectedGroups: 1, experts });
    }
    scope.close();
    return audit;
  }

  test('accepts one use forward and one backward, or two and one where layers run again', () => {
    useOnce({ forward: 1, backward: 1 }).finish(finish);
    useOnce({ forward: 2, backward: 1 }).finish({ ...finish, recomputes: true });
  });

  test.each([
    ['no backward pass', { forward: 1, backward: 0 }, finish],
    ['twice backward', { forward: 1, backward: 2 }, finish],
    ['twice forward', { forward: 2, backward: 1 }, finish],
    [
      'a layer that was not run again',
      { forward: 1, backward: 1 },
      { ...finish, recomputes: true },
    ],
    ['a router that chose', { forward: 1, backward: 1, choices: 1 }, finish],
    ['a layer without routes', { forward: 1, backward: 1 }, { ...finish, layers: 2 }],
    ['rows of another batch', { forward: 1, backward: 1 }, { ...finish, rows: 4 }],
  ])('sees %s', (_, times, wanted) => {
    expect(() => useOnce(times).finish(wanted)).toThrow(/^routes of /);
  });

  test('begins anew with each micro-batch', () => {
    const audit = useOnce({ forward: 1, backward: 1 });
    audit.finish(finish);
    expect(() => audit.finish(finish)).toThrow(/^routes of 1 layers and 3 rows were to be used/);
  });
});

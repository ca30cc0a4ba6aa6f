import { describe, expect, test } from 'vitest';
import { smallConfig } from '../../test/train/small-model.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { packDocuments } from '../model/batch.ts';
import { initializeModel } from '../model/initialize.ts';
import { trunk } from '../model/trunk.ts';
import type { TrainableModel } from '../model/weights.ts';
import { Random } from '../random.ts';
import { readFloats, readInts, Scope } from '../tensor/scope.ts';
import { allocateGradients } from './gradients.ts';
import { type BatchResult, forwardBackward, score } from './objective.ts';
import { type StepTotals, stepTotals, type TrainingBatch, trainingBatch } from './targets.ts';

const mtpLossWeight = 0.3;
const balanceCoefficient = 0.05;
const heads = smallConfig.mtpHeads;

describe('the objective', async () => {
  const model = await initializeModel(createReferenceDevice(), smallConfig, 5);

  test('is the mean cross-entropy plus the weighted mean of the heads', async () => {
    const batch = trainingBatch([tokens(9, 1)]);
    const result = await score(model, batch, heads);
    expect(result.nextToken.targets.tokens).toEqual(batch.tokens.slice(1));
    expect(result.heads.map(({ targets }) => [...targets.rows])).toEqual([
      [0, 1, 2, 3, 4, 5, 6],
      [0, 1, 2, 3, 4, 5],
    ]);
    expect(result.heads[1]!.targets.tokens).toEqual(batch.tokens.slice(3));
    expect(stepTotals([batch], heads)).toEqual({ tokens: 9, weights: [8, 7, 6] });
  });

  test('has the gradient that finite differences give', async () => {
    // Recorded routes are replayed, for a choice of experts that flips has no derivative.
    const packed = trainingBatch([tokens(9, 1), tokens(4, 2)], [weights(9, 3), weights(4, 4)]);
    const batch = { ...packed, routes: await routesOf(model, [tokens(9, 1), tokens(4, 2)]) };
    const totals = stepTotals([batch], heads);
    const gradients = allocateGradients(model);
    await forwardBackward(model, gradients, batch, { totals, mtpLossWeight, balanceCoefficient });

    let index = 0;
    for (const [parameter, gradient] of gradients) {
      const values = await readFloats(model.device, parameter);
      const direction = new Random(index++).normals(values.length, values.length ** -0.5);
      const slope = dot(await readFloats(model.device, gradient), direction);
      const lossAt = async (step: number) => {
        const moved = values.map((value, i) => value + step * direction[i]!);
        model.device.write(parameter.storage, parameter.byteOffset, moved);
        const unused = new Map();
        const options = { totals, mtpLossWeight, balanceCoefficient };
        return total(await forwardBackward(model, unused, batch, options), totals);
      };
      const step = 4e-3;
      const difference = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
      model.device.write(parameter.storage, parameter.byteOffset, values);
      expect(Math.abs(slope - difference)).toBeLessThan(1e-4 + 1e-3 * Math.abs(difference));
    }
    expect(index).toBeGreaterThan(40);
  });

  test('of packed documents is that of the documents apart, accumulated', async () => {
    const documents = [tokens(9, 1), tokens(1, 2), tokens(5, 3)];
    const together = [trainingBatch(documents)];
    const apart = documents.map((document) => trainingBatch([document]));
    const [one, many] = [await run(model, together), await run(model, apart)];
    expect(many.loss).toBeCloseTo(one.loss, 6);
    for (const [i, gradient] of one.gradients.entries()) expectClose(many.gradients[i]!, gradient);
  });

  test('does not see tokens of weight 0 as targets', async () => {
    const mask = Float32Array.from({ length: 9 }, (_, i) => (i < 5 ? 0 : 1));
    const batch = trainingBatch([tokens(9, 1)], [mask]);
    const [all, part] = [
      await score(model, trainingBatch([tokens(9, 1)]), heads),
      await score(model, batch, heads),
    ];
    expect(part.nextToken.logProbability).toEqual(all.nextToken.logProbability.slice(4));
    expect(part.heads[0]!.logProbability).toEqual(all.heads[0]!.logProbability.slice(3));
  });

  test('replays recorded routing with a gradient to the router', async () => {
    const batch = trainingBatch([tokens(9, 1)]);
    const own = await run(model, [batch]);
    const routes = await routesOf(model, [tokens(9, 1)]);
    const replayed = await run(model, [{ ...batch, routes }]);
    expect(replayed.loss).toBe(own.loss);
    expect(replayed.gradients).toEqual(own.gradients);

    const others = routes.map((experts) => experts.map((expert) => (expert + 1) % 4));
    const forced = await run(model, [{ ...batch, routes: others }], 0);
    expect(forced.loss).not.toBe(own.loss);
    const router = [...allocateGradients(model).keys()].indexOf(
      model.parameters.get('model.layers.1.mlp.gate.weight')!,
    );
    expect(forced.gradients[router]!.some((value) => value !== 0)).toBe(true);
  });

  test('reports the load of each expert and leaves no memory behind', async () => {
    const before = model.device.allocatedBytes;
    const batch = trainingBatch([tokens(9, 1)]);
    const options = { totals: stepTotals([batch], heads), mtpLossWeight, balanceCoefficient };
    const result = await forwardBackward(model, new Map(), batch, options);
    expect(result.expertLoads.map((loads) => loads.reduce((a, b) => a + b))).toEqual([18, 18]);
    expect(result.balanceLosses).toHaveLength(2);
    expect(model.device.allocatedBytes).toBe(before);
  });
});

/** Loss and gradients of an optimizer step over micro-batches. */
async function run(
  model: TrainableModel,
  batches: TrainingBatch[],
  coefficient = balanceCoefficient,
) {
  const totals = stepTotals(batches, heads);
  const gradients = allocateGradients(model);
  let loss = 0;
  for (const batch of batches) {
    const options = { totals, mtpLossWeight, balanceCoefficient: coefficient };
    const result = await forwardBackward(model, gradients, batch, options);
    loss += total(result, totals, batch.tokens.length / totals.tokens);
  }
  const values = [...gradients.values()].map((gradient) => readFloats(model.device, gradient));
  return { loss, gradients: await Promise.all(values) };
}

function total(result: BatchResult, totals: StepTotals, share = 1): number {
  const mean = ({ lossSum }: { lossSum: number }, i: number) =>
    totals.weights[i]! === 0 ? 0 : lossSum / totals.weights[i]!;
  const ofHeads = result.heads.reduce((sum, head, k) => sum + mean(head, k + 1), 0);
  const balance = result.balanceLosses.reduce((sum, loss) => sum + loss, 0);
  return (
    mean(result.nextToken, 0) +
    (mtpLossWeight / heads) * ofHeads +
    balanceCoefficient * share * balance
  );
}

async function routesOf(model: TrainableModel, documents: Int32Array[]): Promise<Int32Array[]> {
  const scope = new Scope(model.device);
  const { routes } = trunk(scope, model, packDocuments(scope, documents));
  return Promise.all(routes.map(({ experts }) => readInts(model.device, experts)));
}

function tokens(count: number, seed: number): Int32Array {
  const random = new Random(seed, 'tokens');
  return Int32Array.from({ length: count }, () => random.int(0, smallConfig.vocabSize - 1));
}

/** Weights of either sign, and some zeros. */
function weights(count: number, seed: number): Float32Array {
  return new Random(seed, 'weights').normals(count, 1).map((x) => (Math.abs(x) < 0.4 ? 0 : x));
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function expectClose(actual: Float32Array, expected: Float32Array): void {
  const scale = Math.max(...expected.map(Math.abs), 1e-3);
  for (const [i, value] of expected.entries()) {
    expect(Math.abs(actual[i]! - value)).toBeLessThan(1e-5 * scale);
  }
}

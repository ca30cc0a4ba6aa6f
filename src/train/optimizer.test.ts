import { describe, expect, test } from 'vitest';
import { fixtureParameter, hasFixture, openReference } from '../../test/train/reference-fixture.ts';
import { smallConfig } from '../../test/train/small-model.ts';
import { loadOpenModel } from '../checkpoint/load-open-model.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { initializeModel } from '../model/initialize.ts';
import { parameterSpecs } from '../model/parameters.ts';
import { readFloats } from '../tensor/scope.ts';
import { deadExperts } from './gradient-report.ts';
import { allocateGradients, releaseGradients } from './gradients.ts';
import { AdamW } from './optimizer.ts';

const matrix = 'model.layers.0.self_attn.q_proj.weight';
const norm = 'model.norm.weight';
const experts = 'model.layers.1.mlp.experts.up_proj.weight';

describe('AdamW', () => {
  test('decays matrices and not vectors, and clears the gradients', async () => {
    const { model, gradients, optimizer } = await setUp({ weightDecay: 0.5 });
    const before = await read(model.parameters.get(matrix)!);
    await optimizer.step(0.1);
    expectClose(
      await read(model.parameters.get(matrix)!),
      before.map((p) => p * (1 - 0.1 * 0.5)),
    );
    expect((await read(model.parameters.get(norm)!)).every((p) => p === 1)).toBe(true);

    model.device.write(gradients.get(model.parameters.get(norm)!)!.storage, 0, Float32Array.of(1));
    await optimizer.step(0.1);
    const moved = await read(model.parameters.get(norm)!);
    // The second step's first moment, 0.1·g, is corrected by 1 − 0.9² and divided by √(0.05/0.0975).
    expect(moved[0]).toBeCloseTo(1 - (0.1 * (0.1 / 0.19)) / Math.sqrt(0.05 / 0.0975), 5);
    expect(moved[1]).toBe(1);
    const gradient = gradients.get(model.parameters.get(norm)!)!;
    expect((await read(gradient)).every((value) => value === 0)).toBe(true);
  });

  test('clips by the norm of the whole gradient', async () => {
    const { model, gradients, optimizer } = await setUp({ clipNorm: 2 });
    const write = (name: string, ...values: number[]) =>
      model.device.write(
        gradients.get(model.parameters.get(name)!)!.storage,
        0,
        Float32Array.from(values),
      );
    write(norm, 6);
    write(matrix, 0, 8);
    const report = await optimizer.step(0.1);
    expect(report.norm).toBe(10);
    expect(report.size - report.zeros).toBe(2);
    const { first } = optimizer.moments.find(({ spec }) => spec.name === norm)!;
    expect((await read(first))[0]).toBeCloseTo(0.1 * 6 * 0.2, 6);
  });

  test('counts zeros by expert', async () => {
    const { model, gradients, optimizer } = await setUp({});
    const gradient = gradients.get(model.parameters.get(experts)!)!;
    const [, rows, columns] = gradient.shape as [number, number, number];
    const values = new Float32Array(gradient.size);
    values[2 * rows * columns] = 1;
    model.device.write(gradient.storage, 0, values);
    const report = await optimizer.step(0.1);
    const zeros = report.parts.filter(({ name }) => name === experts).map((part) => part.zeros);
    expect(zeros).toEqual([96, 96, 95, 96]);
    expect([...deadExperts(report)]).toEqual([
      [1, 3],
      [2, 4],
    ]);
  });

  test('changes nothing when the gradient is not finite', async () => {
    const { model, gradients, optimizer } = await setUp({});
    const parameter = model.parameters.get(norm)!;
    model.device.write(gradients.get(parameter)!.storage, 0, Float32Array.of(Number.NaN));
    await expect(optimizer.step(0.1)).rejects.toThrow(/norm is NaN.*learning rate/);
    expect((await read(parameter)).every((p) => p === 1)).toBe(true);
    expect(optimizer.stepCount).toBe(0);
  });

  test('gives its memory back', async () => {
    const { model, gradients, optimizer } = await setUp({});
    const weights = [...model.parameters.values()].reduce((sum, { byteLength: n }) => sum + n, 0);
    releaseGradients(model, gradients);
    optimizer.release();
    expect(model.device.allocatedBytes).toBe(weights);
  });

  test.runIf(hasFixture)('takes the step of another implementation', async () => {
    const fixture = await openReference();
    const { adamw, grad_norm } = fixture.scalars;
    const model = await loadOpenModel(createReferenceDevice(), fixture.checkpoint);
    const gradients = allocateGradients(model);
    const specs = parameterSpecs(model.config);
    for (const spec of specs.filter(({ trained }) => trained)) {
      const { storage } = gradients.get(model.parameters.get(spec.name)!)!;
      model.device.write(storage, 0, await fixtureParameter(fixture.gradients, 'grad.', spec));
    }
    const optimizer = new AdamW(model, gradients, {
      beta1: adamw.betas[0],
      beta2: adamw.betas[1],
      epsilon: adamw.eps,
      weightDecay: adamw.weight_decay,
      clipNorm: adamw.clip,
      decayAll: true,
    });
    const report = await optimizer.step(adamw.lr);
    expect(report.norm).toBeCloseTo(grad_norm, 5);

    const { expected } = fixture;
    const names = [...expected.tensors.keys()].filter((name) => name.startsWith('adamw.'));
    let compared = 0;
    for (const spec of specs) {
      const inFixture = (name: string) => names.includes(`adamw.${name}`);
      const stacked = spec.name.replace('.experts.', '.experts.0.');
      if (!inFixture(spec.name) && !inFixture(stacked)) continue;
      const found = await read(model.parameters.get(spec.name)!);
      expectClose(found, await fixtureParameter(expected, 'adamw.', spec), spec.name);
      compared++;
    }
    expect(compared).toBeGreaterThan(40);
    await fixture.close();
  });
});

async function setUp(options: ConstructorParameters<typeof AdamW>[2]) {
  const model = await initializeModel(createReferenceDevice(), smallConfig, 1);
  const gradients = allocateGradients(model);
  return { model, gradients, optimizer: new AdamW(model, gradients, options) };
}

const device = createReferenceDevice();
const read = (tensor: Parameters<typeof readFloats>[1]) => readFloats(device, tensor);

function expectClose(actual: Float32Array, expected: Float32Array, what?: string): void {
  const error = expected.reduce((most, x, i) => Math.max(most, Math.abs(x - actual[i]!)), 0);
  expect(error, what).toBeLessThan(1e-6);
}

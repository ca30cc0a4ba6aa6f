import type { SafetensorsFile } from '../checkpoint/safetensors.ts';
import {
  hubNames,
  type ParameterSpec,
  parameterSize,
  parameterSpecs,
} from '../model/parameters.ts';
import { fillModel, type TrainableModel } from '../model/weights.ts';
import { readFloats } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { allocateGradients, type Gradients, releaseGradients } from '../train/gradients.ts';
import { forwardBackward } from '../train/objective.ts';
import { AdamW } from '../train/optimizer.ts';
import { stepTotals, trainingBatch } from '../train/targets.ts';
import type { Fixture } from './fixture.ts';
import { type Comparison, fixtureDocuments, largestDifference, limits } from './parity.ts';

/**
 * Losses, the gradient of every parameter, its norm, and the parameters after one AdamW step.
 *
 * Adam's first step is nearly rate·sign(gradient). Where a gradient is no larger than epsilon and the
 * rounding of its sums, that sign is noise. So the step is compared twice: from the fixture's own
 * gradients everywhere, and from ours where the gradient is well above epsilon.
 */
export async function* compareTraining(
  model: TrainableModel,
  fixture: Fixture,
): AsyncGenerator<Comparison> {
  const { scalars } = fixture;
  const gradients = allocateGradients(model);
  try {
    const batch = trainingBatch(await fixtureDocuments(fixture));
    const totals = stepTotals([batch], model.config.mtpHeads);
    const mtpLossWeight = scalars.mtp_loss_weight;
    const result = await forwardBackward(model, gradients, batch, { totals, mtpLossWeight });
    const [loss, ...mtpLosses] = [result.nextToken, ...result.heads].map(
      ({ lossSum }, i) => lossSum / totals.weights[i]!,
    );
    yield compareScalar('loss', loss!, scalars.loss);
    for (const [head, mtpLoss] of mtpLosses.entries()) {
      yield compareScalar(`MTP head ${head} loss`, mtpLoss, scalars.mtp_losses[head]!);
    }
    const mean = mtpLosses.reduce((a, b) => a + b, 0) / Math.max(mtpLosses.length, 1);
    yield compareScalar('total loss', loss! + mtpLossWeight * mean, scalars.total);

    yield await compareGradients(model, gradients, fixture.gradients);
    const norm = await step(model, gradients, fixture);
    yield {
      what: 'gradient norm',
      error: Math.abs(norm / scalars.grad_norm - 1),
      limit: limits.gradient,
      unit: 'relative',
    };
    const smallest = 100 * scalars.adamw.eps * Math.max(1, norm / scalars.adamw.clip);
    yield await compareParameters(model, fixture, 'its own gradients', smallest);

    await fillModel(model, (spec) => fixture.checkpoint.readParameter(spec));
    await copyGradients(model, gradients, fixture.gradients);
    await step(model, gradients, fixture);
    yield await compareParameters(model, fixture, 'the fixture’s', 0);
  } finally {
    releaseGradients(model, gradients);
  }
}

/** One AdamW step as the fixture's was; → the norm of the gradient. */
async function step(
  model: TrainableModel,
  gradients: Gradients,
  { scalars }: Fixture,
): Promise<number> {
  const { lr, betas, eps, weight_decay: weightDecay, clip } = scalars.adamw;
  const optimizer = new AdamW(model, gradients, {
    beta1: betas[0],
    beta2: betas[1],
    epsilon: eps,
    weightDecay,
    decayAll: true,
    clipNorm: clip,
  });
  try {
    return (await optimizer.step(lr)).norm;
  } finally {
    optimizer.release();
  }
}

/** Puts the fixture's gradients in the place of ours. */
async function copyGradients(
  model: TrainableModel,
  gradients: Gradients,
  expected: SafetensorsFile,
): Promise<void> {
  for (const spec of parameterSpecs(model.config)) {
    const gradient = gradients.get(model.parameters.get(spec.name)!);
    if (!gradient) continue;
    const names = hubNames(spec);
    for (const [index, name] of names.entries()) {
      const offset = index * (gradient.byteLength / names.length);
      const values = await expected.readFloats(`grad.${name}`);
      model.device.write(gradient.storage, offset, values);
    }
  }
}

function compareScalar(what: string, ours: number, theirs: number): Comparison {
  return { what, error: Math.abs(ours - theirs), limit: limits.logits, unit: 'absolute' };
}

/** By norm, each hub tensor on its own: an expert that saw few tokens counts like any other. */
async function compareGradients(
  model: TrainableModel,
  gradients: Gradients,
  expected: SafetensorsFile,
): Promise<Comparison> {
  const comparison: Comparison = { what: '', error: 0, limit: limits.gradient, unit: 'relative' };
  let count = 0;
  const ours = (parameter: Tensor) => gradients.get(parameter);
  for await (const { name, found, wanted } of pairs(model, expected, 'grad.', ours)) {
    count++;
    const difference = norm(found.map((value, i) => value - wanted[i]!));
    const size = norm(wanted);
    // A gradient of exactly zero (an expert without tokens) must be exactly zero.
    const error =
      size === 0 ? (difference === 0 ? 0 : Number.POSITIVE_INFINITY) : difference / size;
    if (!(error <= comparison.error)) Object.assign(comparison, { error, where: name });
  }
  comparison.what = `gradients of ${count} tensors`;
  return comparison;
}

/** Leaves out elements whose gradient in the fixture is below `smallest`. */
async function compareParameters(
  model: TrainableModel,
  { expected, gradients }: Fixture,
  source: string,
  smallest: number,
): Promise<Comparison> {
  const comparison: Comparison = { what: '', error: 0, limit: limits.parameter, unit: 'absolute' };
  let count = 0;
  const ours = (parameter: Tensor) => parameter;
  for await (const { name, found, wanted } of pairs(model, expected, 'adamw.', ours)) {
    count++;
    if (smallest > 0 && gradients.tensors.has(`grad.${name}`)) {
      const gradient = await gradients.readFloats(`grad.${name}`);
      gradient.forEach((value, i) => {
        if (Math.abs(value) < smallest) found[i] = wanted[i]!;
      });
    }
    const error = largestDifference(found, wanted);
    if (!(error <= comparison.error)) Object.assign(comparison, { error, where: name });
  }
  comparison.what = `${count} tensors after AdamW on ${source}`;
  return comparison;
}

/** Every tensor that the file has under a prefix and the model has too, by its hub name. */
async function* pairs(
  model: TrainableModel,
  file: SafetensorsFile,
  prefix: string,
  ours: (parameter: Tensor) => Tensor | undefined,
): AsyncGenerator<{ name: string; found: Float32Array; wanted: Float32Array }> {
  for (const spec of parameterSpecs(model.config)) {
    const tensor = ours(model.parameters.get(spec.name)!);
    if (!tensor) continue;
    const names = hubNames(spec);
    if (!names.some((name) => file.tensors.has(prefix + name))) continue;
    const values = await readFloats(model.device, tensor);
    for (const [index, name] of names.entries()) {
      if (!file.tensors.has(prefix + name)) continue;
      const found = part(spec, values, names.length, index);
      yield { name, found, wanted: await file.readFloats(prefix + name) };
    }
  }
}

function part(spec: ParameterSpec, values: Float32Array, parts: number, index: number) {
  const size = parameterSize(spec) / parts;
  return values.subarray(index * size, (index + 1) * size);
}

function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

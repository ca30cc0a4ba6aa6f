import { describe, expect, test } from 'vitest';
import {
  fixtureDocuments,
  fixtureParameter,
  hasFixture,
  openReference,
} from '../../test/train/reference-fixture.ts';
import { loadOpenModel } from '../checkpoint/load-open-model.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { parameterSpecs } from '../model/parameters.ts';
import { readFloats } from '../tensor/scope.ts';
import { allocateGradients } from './gradients.ts';
import { forwardBackward } from './objective.ts';
import { stepTotals, trainingBatch } from './targets.ts';

describe.runIf(hasFixture)('the objective against another implementation', () => {
  test('has its losses and the gradient of every parameter', async () => {
    const fixture = await openReference();
    const expected = fixture.scalars;
    const model = await loadOpenModel(createReferenceDevice(), fixture.checkpoint);
    const gradients = allocateGradients(model);
    const batch = trainingBatch(await fixtureDocuments(fixture));
    const totals = stepTotals([batch], model.config.mtpHeads);
    const mtpLossWeight = expected.mtp_loss_weight;
    const result = await forwardBackward(model, gradients, batch, { totals, mtpLossWeight });

    expect(result.nextToken.lossSum / totals.weights[0]!).toBeCloseTo(expected.loss, 5);
    result.heads.forEach(({ lossSum }, head) => {
      expect(lossSum / totals.weights[head + 1]!).toBeCloseTo(expected.mtp_losses[head]!, 5);
    });

    let squares = 0;
    for (const spec of parameterSpecs(model.config).filter(({ trained }) => trained)) {
      const wanted = await fixtureParameter(fixture.gradients, 'grad.', spec);
      const gradient = gradients.get(model.parameters.get(spec.name)!)!;
      const found = await readFloats(model.device, gradient);
      const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const error = found.reduce((most, x, i) => Math.max(most, Math.abs(x - wanted[i]!)), 0);
      expect(error, spec.name).toBeLessThan(1e-4 * largest);
      squares += found.reduce((sum, value) => sum + value * value, 0);
    }
    expect(Math.sqrt(squares)).toBeCloseTo(expected.grad_norm, 5);
    await fixture.close();
  });
});

import type { SafetensorsFile } from '../checkpoint/safetensors.ts';
import type { Route } from '../model/experts.ts';
import type { Model } from '../model/weights.ts';
import { readFloats, readInts } from '../tensor/scope.ts';
import { type Comparison, limits } from './parity.ts';

/** Two experts this close may be chosen either way. */
const tie = 1e-6;

/**
 * Compares the chosen experts and their weights in every layer. The order within a row is free, and so
 * is the choice between experts whose scores tie.
 */
export async function* compareRoutes(
  model: Model,
  routes: readonly Route[],
  expected: SafetensorsFile,
): AsyncGenerator<Comparison> {
  const layers = model.config.layers.flatMap(({ feedForward }, layer) =>
    feedForward === 'experts' ? [layer] : [],
  );
  const rows: Comparison = { what: 'routes', error: 0, limit: 0, unit: 'rows' };
  const weights: Comparison = {
    what: 'route weights',
    error: 0,
    limit: limits.logits,
    unit: 'absolute',
  };
  for (const [index, layer] of layers.entries()) {
    const result = await compareLayer(model, layer, routes[index]!, expected);
    const where = `layer ${layer}`;
    rows.error += result.differing;
    if (result.differing > 0) rows.where ??= where;
    if (result.weightError > weights.error)
      Object.assign(weights, { error: result.weightError, where });
  }
  yield rows;
  yield weights;
}

async function compareLayer(
  { config, device, layers }: Model,
  layer: number,
  route: Route,
  expected: SafetensorsFile,
): Promise<{ differing: number; weightError: number }> {
  const { feedForward } = layers[layer]!;
  if (feedForward.kind !== 'experts') throw new Error(`layer ${layer} has no experts`);
  const { count, perToken } = config.experts;
  const bias = await readFloats(device, feedForward.selectionBias);
  const logits = await readFloats(device, route.logits);
  const chosen = await readInts(device, route.experts);
  const weights = await readFloats(device, route.weights);
  const wanted = await expected.readIntegers(`route.${layer}.experts`);
  const wantedWeights = await expected.readFloats(`route.${layer}.weights`);

  let differing = 0;
  let weightError = 0;
  for (let begin = 0, row = 0; begin < wanted.length; begin += perToken, row++) {
    const score = (expert: number) => 1 / (1 + Math.exp(-logits[row * count + expert]!));
    const ours = [...chosen.subarray(begin, begin + perToken)];
    const theirs = [...wanted.subarray(begin, begin + perToken)];
    const choices = (list: number[], others: number[]) =>
      list
        .filter((expert) => !others.includes(expert))
        .map((expert) => score(expert) + bias[expert]!);
    const [extra, missed] = [choices(ours, theirs), choices(theirs, ours)];
    const isTie = extra.every((a) => missed.every((b) => Math.abs(a - b) <= tie));
    if (!isTie) differing++;
    if (extra.length > 0) continue;
    theirs.forEach((expert, j) => {
      const weight = weights[begin + ours.indexOf(expert)]!;
      weightError = Math.max(weightError, Math.abs(weight - wantedWeights[begin + j]!));
    });
  }
  return { differing, weightError };
}

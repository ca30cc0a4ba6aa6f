import type { ModelConfig } from '../model/config.ts';
import type { Routes } from './routes.ts';
import type { Trajectory } from './trajectory.ts';

/**
 * What is wrong with a trajectory, in one line, or null: rollouts may come from elsewhere, and one that is
 * malformed must be counted and dropped, not trained on.
 */
export function trajectoryProblem(trajectory: Trajectory, config: ModelConfig): string | null {
  const { tokens, sampled, logprobs, versions, routes } = trajectory;
  const { length } = tokens;
  for (const [name, { length: found }] of Object.entries({ sampled, logprobs, versions })) {
    if (found !== length) return `has ${length} tokens and ${found} entries in "${name}"`;
  }
  if (length > config.maxPositions) {
    return `has ${length} tokens, more than the model's ${config.maxPositions} positions`;
  }
  const unknown = tokens.findIndex((token) => !(token >= 0 && token < config.vocabSize));
  if (unknown >= 0) return `token ${unknown} is ${tokens[unknown]}, of ${config.vocabSize}`;
  if (!sampled.includes(1)) return 'has no sampled token';
  if (sampled[0] === 1) return 'its first token is sampled, from nothing';
  for (const [t, one] of sampled.entries()) {
    if (one && !(logprobs[t]! <= 0 && logprobs[t]! > Number.NEGATIVE_INFINITY)) {
      return `sampled token ${t} has log-probability ${logprobs[t]}`;
    }
    if (one && !(versions[t]! >= 0)) return `sampled token ${t} is of version ${versions[t]}`;
  }
  return routes && routesProblem(routes, length, config);
}

/** Layers of experts, in the order in which routes have them. */
export function expertLayerCount({ layers }: ModelConfig): number {
  return layers.filter(({ feedForward }) => feedForward === 'experts').length;
}

function routesProblem(
  { layers, perToken, experts }: Routes,
  length: number,
  config: ModelConfig,
): string | null {
  const { count, perToken: wanted } = config.experts;
  if (layers !== expertLayerCount(config) || perToken !== wanted) {
    return `has routes of ${layers} layers and ${perToken} experts, not ${expertLayerCount(config)} and ${wanted}`;
  }
  const positions = experts.length / (layers * perToken);
  if (positions !== length - 1) {
    return `has routes of ${positions} positions for ${length} tokens, of which the last has none`;
  }
  for (let begin = 0; begin < experts.length; begin += perToken) {
    const chosen = experts.subarray(begin, begin + perToken);
    if (chosen.some((expert) => expert >= count) || new Set(chosen).size < perToken) {
      const position = Math.floor(begin / (layers * perToken));
      return `position ${position} was routed to experts ${[...chosen].join(', ')} of ${count}`;
    }
  }
  return null;
}

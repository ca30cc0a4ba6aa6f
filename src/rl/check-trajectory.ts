/**
 * What is wrong with what a policy did, in one line, or null: rollouts may come from elsewhere, and one that
 * is malformed must be counted and dropped, not trained on.
 */
import type { ModelConfig } from '../model/config.ts';
import type { Routes } from './routes.ts';
import type { Trajectory } from './trajectory.ts';

type Tokens = Pick<Trajectory, 'tokens' | 'sampled' | 'logprobs' | 'versions'>;

/** Of a trajectory that is to be trained on, for a model. */
export function trajectoryProblem(trajectory: Trajectory, config: ModelConfig): string | null {
  const { tokens, sampled, routes } = trajectory;
  const { length } = tokens;
  const problem = tokensProblem(trajectory);
  if (problem) return problem;
  if (length > config.maxPositions) {
    return `has ${length} tokens, more than the model's ${config.maxPositions} positions`;
  }
  const unknown = tokens.findIndex((token) => !(token >= 0 && token < config.vocabSize));
  if (unknown >= 0) return `token ${unknown} is ${tokens[unknown]}, of ${config.vocabSize}`;
  if (!sampled.includes(1)) return 'has no sampled token';
  if (sampled[0] === 1) return 'its first token is sampled, from nothing';
  return routes && (positionsProblem(trajectory, true) ?? expertsProblem(routes, config));
}

/** Of tokens and what goes with them, for any model; finished or not. */
export function tokensProblem(contents: Partial<Tokens> | undefined): string | null {
  const { tokens, sampled, logprobs, versions } = contents ?? {};
  const isTyped =
    tokens instanceof Int32Array &&
    sampled instanceof Uint8Array &&
    logprobs instanceof Float32Array &&
    versions instanceof Int32Array;
  if (!isTyped) return 'lacks tokens or what goes with them';
  const { length } = tokens;
  for (const [name, { length: found }] of Object.entries({ sampled, logprobs, versions })) {
    if (found !== length) return `has ${length} tokens and ${found} entries in "${name}"`;
  }
  for (let t = 0; t < length; t++) {
    if (sampled[t] === 0) continue;
    if (!(logprobs[t]! <= 0 && logprobs[t]! > -Infinity)) {
      return `has log-probability ${logprobs[t]} at sampled token ${t}`;
    }
    if (!(versions[t]! >= 0)) return `has version ${versions[t]} at sampled token ${t}`;
  }
  return null;
}

/** A whole trajectory has routes of all tokens but the last, a partial one perhaps of fewer. */
export function positionsProblem(
  { tokens, routes }: Pick<Trajectory, 'tokens' | 'routes'>,
  isWhole: boolean,
): string | null {
  if (routes === null) return null;
  const { experts, layers, perToken } = routes;
  const positions = experts.length / (layers * perToken);
  const most = Math.max(0, tokens.length - 1);
  const fits = isWhole ? positions === most : Number.isInteger(positions) && positions <= most;
  if (fits) return null;
  return `has routes of ${positions} positions for ${tokens.length} tokens, of which the last has none`;
}

function expertsProblem({ layers, perToken, experts }: Routes, config: ModelConfig): string | null {
  const { count, perToken: wanted } = config.experts;
  if (layers !== expertLayerCount(config) || perToken !== wanted) {
    return `has routes of ${layers} layers and ${perToken} experts, not ${expertLayerCount(config)} and ${wanted}`;
  }
  for (let begin = 0; begin < experts.length; begin += perToken) {
    if (areDistinct(experts, begin, begin + perToken, count)) continue;
    const position = Math.floor(begin / (layers * perToken));
    const chosen = [...experts.subarray(begin, begin + perToken)].join(', ');
    return `position ${position} was routed to experts ${chosen} of ${count}`;
  }
  return null;
}

/** Whether each is there and comes once. A batch has millions, so nothing is made for one. */
function areDistinct(
  experts: Routes['experts'],
  begin: number,
  end: number,
  count: number,
): boolean {
  for (let i = begin; i < end; i++) {
    if (experts[i]! >= count) return false;
    for (let j = begin; j < i; j++) if (experts[j] === experts[i]) return false;
  }
  return true;
}

/** Layers of experts, in the order in which routes have them. */
export function expertLayerCount({ layers }: ModelConfig): number {
  return layers.filter(({ feedForward }) => feedForward === 'experts').length;
}

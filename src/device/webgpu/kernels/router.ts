import type { Kernels } from '../../../tensor/kernels.ts';
import { program, programs } from '../program.ts';
import type { Runtime } from '../runtime.ts';
import { sigmoid } from './activation.ts';
import { eachOf } from './elementwise.ts';

const threads = 64;

export interface Selection {
  count: number;
  perToken: number;
  groups: number;
  selectedGroups: number;
}

/** What `selectionBody` needs outside of `main`; scores with bias are put into `choice`. */
export const selectionHead = ({ count, groups }: Selection) => /* wgsl */ `
const groupSize = ${count / groups}u;
var<workgroup> choice: array<f32, ${count}>;
var<workgroup> rank: array<u32, ${count}>;
var<workgroup> groupRank: array<u32, ${groups}>;

fn ordered(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

fn twoBest(first: u32) -> f32 {
  var best = choice[first];
  var second = 0.0;
  for (var e = first + 1u; e < first + groupSize; e++) {
    let score = choice[e];
    if (score > best) { second = best; best = score; }
    else if (score > second || e == first + 1u) { second = score; }
  }
  return best + second;
}`;

/**
 * Does `chosen(place)` for each chosen expert `e`, once all of `choice` is there. Nothing is sorted: an
 * expert's place is the number of experts that come before it, and it is chosen if that is below k.
 * Scores are compared as integers of the same order, so that even NaN has a place and every slot gets
 * an expert.
 */
export function selectionBody(
  { count, perToken, groups, selectedGroups }: Selection,
  chosen: (place: string) => string,
): string {
  const rankGroups = /* wgsl */ `
    for (var g = thread; g < ${groups}u; g += threads) {
      groupRank[g] = ordered(twoBest(g * groupSize));
    }
    workgroupBarrier();`;
  const inGroups = /* wgsl */ `
      let own = e / groupSize;
      var before = 0u;
      for (var g = 0u; g < ${groups}u; g++) {
        if (groupRank[g] > groupRank[own] || (groupRank[g] == groupRank[own] && g < own)) { before++; }
      }
      // Experts of groups that are not selected come after all others.
      rank[e] = select(0u, max(ordered(choice[e]), 1u), before < ${selectedGroups}u);`;
  return /* wgsl */ `
    ${groups > 1 ? rankGroups : ''}
    for (var e = thread; e < ${count}u; e += threads) {
      ${groups > 1 ? inGroups : 'rank[e] = ordered(choice[e]);'}
    }
    workgroupBarrier();
    for (var e = thread; e < ${count}u; e += threads) {
      var before = 0u;
      for (var other = 0u; other < ${count}u; other++) {
        if (rank[other] > rank[e] || (rank[other] == rank[e] && other < e)) { before++; }
      }
      if (before < ${perToken}u) { ${chosen('before')} }
    }`;
}

/** A workgroup a token. */
const selectExperts = programs((options: Selection) =>
  program({
    name: 'selectExperts',
    bindings: { logits: 'read f32', bias: 'read f32', experts: 'write i32' },
    parameters: { rows: 'u32' },
    threads,
    head: `${sigmoid}\n${selectionHead(options)}`,
    body: /* wgsl */ `
  for (var row = group.x; row < p.rows; row += groups.x) {
    for (var e = thread; e < ${options.count}u; e += threads) {
      choice[e] = sigmoid(logits[row * ${options.count}u + e]) + bias[e];
    }
    workgroupBarrier();
    ${selectionBody(options, (place) => `experts[row * ${options.perToken}u + ${place}] = i32(e);`)}
    workgroupBarrier();
  }`,
  }),
);

/** The scores s_j of a token's chosen experts and what they are divided by. */
const chosenScores = (perToken: number, normalize: boolean) => /* wgsl */ `
    var scores: array<f32, ${perToken}>;
    var sum = ${normalize ? '1e-20' : '1.0'};
    for (var j = 0u; j < ${perToken}u; j++) {
      scores[j] = sigmoid(logits[i * p.columns + u32(experts[i * ${perToken}u + j])]);
      ${normalize ? 'sum += scores[j];' : ''}
    }`;

const expertWeights = programs(
  ({ perToken, normalize }: { perToken: number; normalize: boolean }) =>
    program({
      name: 'expertWeights',
      bindings: { logits: 'read f32', experts: 'read i32', weights: 'write f32' },
      parameters: { rows: 'u32', columns: 'u32', scale: 'f32' },
      threads,
      head: sigmoid,
      body: eachOf(
        'p.rows',
        /* wgsl */ `${chosenScores(perToken, normalize)}
    for (var j = 0u; j < ${perToken}u; j++) {
      weights[i * ${perToken}u + j] = p.scale * scores[j] / sum;
    }`,
      ),
    }),
);

/** w_j = scale·s_j/Σs:  ds_j = (scale·dw_j − Σ_i dw_i·w_i)/Σs;  ds/dlogit = s·(1 − s). */
const expertWeightsBackward = programs(
  ({ perToken, normalize }: { perToken: number; normalize: boolean }) =>
    program({
      name: 'expertWeightsBackward',
      bindings: {
        logits: 'read f32',
        experts: 'read i32',
        dWeights: 'read f32',
        dLogits: 'write f32',
      },
      parameters: { rows: 'u32', columns: 'u32', scale: 'f32' },
      threads,
      head: sigmoid,
      body: eachOf(
        'p.rows',
        /* wgsl */ `${chosenScores(perToken, normalize)}
    var mean = 0.0;
    ${
      normalize
        ? `for (var j = 0u; j < ${perToken}u; j++) {
      mean += dWeights[i * ${perToken}u + j] * p.scale * scores[j] / sum;
    }`
        : ''
    }
    for (var j = 0u; j < ${perToken}u; j++) {
      let slot = i * ${perToken}u + j;
      let dScore = (p.scale * dWeights[slot] - mean) / sum;
      dLogits[i * p.columns + u32(experts[slot])] += dScore * scores[j] * (1.0 - scores[j]);
    }`,
      ),
    }),
);

export function routerKernels(
  runtime: Runtime,
): Pick<Kernels, 'selectExperts' | 'expertWeights' | 'expertWeightsBackward'> {
  return {
    selectExperts({ logits, bias, groups, selectedGroups, experts }) {
      const [count, perToken] = [logits.columns, experts.columns];
      runtime.run(
        selectExperts({ count, perToken, groups, selectedGroups }),
        { logits, bias, experts },
        { rows: logits.rows },
        runtime.grid(logits.rows, 1),
      );
    },

    expertWeights({ logits, experts, normalize, scale, weights }) {
      runtime.run(
        expertWeights({ perToken: experts.columns, normalize }),
        { logits, experts, weights },
        { rows: experts.rows, columns: logits.columns, scale },
        runtime.grid(experts.rows, threads),
      );
    },

    expertWeightsBackward({ logits, experts, normalize, scale, dWeights, dLogits }) {
      runtime.run(
        expertWeightsBackward({ perToken: experts.columns, normalize }),
        { logits, experts, dWeights, dLogits },
        { rows: experts.rows, columns: logits.columns, scale },
        runtime.grid(experts.rows, threads),
      );
    },
  };
}

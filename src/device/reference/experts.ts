import type { Kernels } from '../../tensor/kernels.ts';
import { sigmoid } from './activation.ts';
import { floats, ints } from './memory.ts';

export const expertKernels: Pick<
  Kernels,
  | 'selectExperts'
  | 'expertWeights'
  | 'expertWeightsBackward'
  | 'groupByExpert'
  | 'combineRows'
  | 'combineRowsBackward'
  | 'sumRows'
  | 'balanceLoss'
> = {
  selectExperts({ logits, bias, groups, selectedGroups, experts }) {
    const [scores, offset, chosen] = [floats(logits), floats(bias), ints(experts)];
    const [count, perToken] = [logits.columns, experts.columns];
    const groupSize = count / groups;
    for (let row = 0; row < logits.rows; row++) {
      const choice = Array.from({ length: count }, (_, e) =>
        Math.fround(Math.fround(sigmoid(scores[row * count + e]!)) + offset[e]!),
      );
      const groupScore = (group: number) =>
        choice
          .slice(group * groupSize, (group + 1) * groupSize)
          .sort((a, b) => b - a)
          .slice(0, 2)
          .reduce((sum, value) => sum + value, 0);
      const open = largest(range(groups), selectedGroups, groupScore);
      const eligible = range(count).filter((e) => open.includes(Math.floor(e / groupSize)));
      chosen.set(
        largest(eligible, perToken, (e) => choice[e]!),
        row * perToken,
      );
    }
  },

  expertWeights({ logits, experts, normalize, scale, weights }) {
    const [output, perToken] = [floats(weights), experts.columns];
    for (let row = 0; row < experts.rows; row++) {
      const scores = chosenScores(floats(logits), ints(experts), row, logits.columns, perToken);
      const sum = normalize ? scores.reduce((a, b) => a + b, 0) + 1e-20 : 1;
      scores.forEach((score, j) => {
        output[row * perToken + j] = (scale * score) / sum;
      });
    }
  },

  // w_j = scale·s_j/Σs:  ds_j = (scale·dw_j − Σ_i dw_i·w_i)/Σs;  ds/dlogit = s·(1 − s).
  expertWeightsBackward({ logits, experts, normalize, scale, dWeights, dLogits }) {
    const [chosen, gradient, total] = [ints(experts), floats(dWeights), floats(dLogits)];
    const perToken = experts.columns;
    for (let row = 0; row < experts.rows; row++) {
      const scores = chosenScores(floats(logits), chosen, row, logits.columns, perToken);
      const sum = normalize ? scores.reduce((a, b) => a + b, 0) + 1e-20 : 1;
      let mean = 0;
      if (normalize) {
        scores.forEach((score, j) => {
          mean += (gradient[row * perToken + j]! * scale * score) / sum;
        });
      }
      scores.forEach((score, j) => {
        const dScore = (scale * gradient[row * perToken + j]! - mean) / sum;
        const at = row * logits.columns + chosen[row * perToken + j]!;
        total[at] = total[at]! + dScore * score * (1 - score);
      });
    }
  },

  groupByExpert({ experts, offsets, tokens, rows }) {
    const [chosen, begin, token, rowOf] = [experts, offsets, tokens, rows].map(ints) as Ints4;
    begin.fill(0);
    for (const expert of chosen) begin[expert + 1] = begin[expert + 1]! + 1;
    for (let e = 1; e < begin.length; e++) begin[e] = begin[e]! + begin[e - 1]!;
    const next = begin.slice();
    chosen.forEach((expert, slot) => {
      const row = next[expert]!;
      next[expert] = row + 1;
      token[row] = Math.floor(slot / experts.columns);
      rowOf[slot] = row;
    });
  },

  combineRows({ source, rows, weights, residual, out }) {
    const added = residual && floats(residual);
    const [from, rowOf, weight, to] = [floats(source), ints(rows), floats(weights), floats(out)];
    const [width, perToken] = [out.columns, rows.columns];
    for (let token = 0; token < out.rows; token++) {
      for (let i = 0; i < width; i++) {
        let sum = added ? added[token * width + i]! : 0;
        for (let j = 0; j < perToken; j++) {
          const slot = token * perToken + j;
          sum += weight[slot]! * from[rowOf[slot]! * width + i]!;
        }
        to[token * width + i] = sum;
      }
    }
  },

  combineRowsBackward({ source, rows, weights, dOut, dSource, dWeights }) {
    const [from, rowOf, weight, gradient] = [
      floats(source),
      ints(rows),
      floats(weights),
      floats(dOut),
    ];
    const [toSource, toWeights] = [floats(dSource), floats(dWeights)];
    const [width, perToken] = [dOut.columns, rows.columns];
    rowOf.forEach((row, slot) => {
      const at = Math.floor(slot / perToken) * width;
      let dot = 0;
      for (let i = 0; i < width; i++) {
        dot += gradient[at + i]! * from[row * width + i]!;
        toSource[row * width + i] = weight[slot]! * gradient[at + i]!;
      }
      toWeights[slot] = dot;
    });
  },

  sumRows({ source, rows, out }) {
    const [from, rowOf, to] = [floats(source), ints(rows), floats(out)];
    const [width, perToken] = [out.columns, rows.columns];
    for (let token = 0; token < out.rows; token++) {
      for (let i = 0; i < width; i++) {
        let sum = 0;
        for (let j = 0; j < perToken; j++) sum += from[rowOf[token * perToken + j]! * width + i]!;
        to[token * width + i] = sum;
      }
    }
  },

  balanceLoss({ logits, experts, rowStart, loss, dLogits, scale }) {
    const [input, chosen, starts] = [floats(logits), ints(experts), ints(rowStart)];
    const [count, perToken, rows] = [logits.columns, experts.columns, logits.rows];
    let total = 0;
    for (let begin = 0, end = 0; begin < rows; begin = end) {
      for (end = begin; end < rows && starts[end] === begin; ) end++;
      const length = end - begin;
      const frequency = new Float64Array(count);
      for (const expert of chosen.subarray(begin * perToken, end * perToken)) {
        frequency[expert] = frequency[expert]! + count / (perToken * length);
      }
      for (let row = begin; row < end; row++) {
        const scores = range(count).map((e) => sigmoid(input[row * count + e]!));
        const sum = scores.reduce((a, b) => a + b, 0);
        // Σ_i f_i·s_i/Σs of this row; the rows' terms, weighted T_d/T · 1/T_d, add up to the loss.
        const term = scores.reduce((a, s, e) => a + (frequency[e]! * s) / sum, 0);
        total += term / rows;
        if (!dLogits) continue;
        const gradient = floats(dLogits);
        scores.forEach((s, e) => {
          const dScore = (frequency[e]! - term) / sum / rows;
          gradient[row * count + e] = gradient[row * count + e]! + scale * dScore * s * (1 - s);
        });
      }
    }
    floats(loss)[0] = total;
  },
};

type Ints4 = [Int32Array, Int32Array, Int32Array, Int32Array];

function chosenScores(
  logits: Float32Array,
  experts: Int32Array,
  row: number,
  count: number,
  perToken: number,
): number[] {
  return range(perToken).map((j) => sigmoid(logits[row * count + experts[row * perToken + j]!]!));
}

/** The `count` items with the largest score, largest first; ties go to the earlier item. */
function largest(items: number[], count: number, score: (item: number) => number): number[] {
  const scored = items.map((item) => ({ item, score: score(item) }));
  return scored
    .sort((a, b) => b.score - a.score || a.item - b.item)
    .slice(0, count)
    .map(({ item }) => item);
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

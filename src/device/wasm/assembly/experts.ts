// The router: choosing experts and weighting them. Items are rows. Everything here is in f64, because a
// choice between two close experts should not depend on the device.
import { exp2x64, sigmoid64 } from './math';

/** Writes sigmoid(logit) + bias of a row, both rounded to f32, to `choice`. */
// @ts-ignore: decorator
@inline
function writeChoices(logits: usize, bias: usize, choice: usize, count: i32): void {
  const bytes = (<usize>count) << 2;
  const one = f64x2.splat(1);
  let i: usize = 0;
  for (; i + 8 <= bytes; i += 8) {
    const x = f64x2.promote_low_f32x4(v128.load64_zero(logits + i));
    const s = f64x2.div(one, f64x2.add(one, exp2x64(f64x2.neg(x))));
    const sum = f32x4.add(f32x4.demote_f64x2_zero(s), v128.load64_zero(bias + i));
    v128.store64_lane(choice + i, sum, 0);
  }
  if (i < bytes) {
    store<f32>(choice + i, <f32>sigmoid64(<f64>load<f32>(logits + i)) + load<f32>(bias + i));
  }
}

/** The place of the largest value that is not NaN, the first on ties; `begin` if there is none. */
// @ts-ignore: decorator
@inline
function bestOf(values: usize, begin: i32, end: i32): i32 {
  let best = begin;
  let largest = load<f32>(values + ((<usize>begin) << 2));
  for (let i = begin + 1; i < end; i++) {
    const value = load<f32>(values + ((<usize>i) << 2));
    if (value > largest || largest != largest) {
      largest = value;
      best = i;
    }
  }
  return best;
}

/** Leaves only the experts of the groups whose two best sum to most; NaN marks the others. */
function keepBestGroups(
  choice: usize, sums: usize, experts: i32, groups: i32, selectedGroups: i32,
): void {
  const size = experts / groups;
  for (let group = 0; group < groups; group++) {
    let first: f32 = -Infinity;
    let second: f32 = -Infinity;
    for (let e = group * size; e < (group + 1) * size; e++) {
      const value = load<f32>(choice + ((<usize>e) << 2));
      second = max(second, min(first, value));
      first = max(first, value);
    }
    store<f32>(sums + ((<usize>group) << 2), size > 1 ? first + second : first);
  }
  for (let n = 0; n < selectedGroups; n++) {
    store<f32>(sums + ((<usize>bestOf(sums, 0, groups)) << 2), NaN);
  }
  for (let group = 0; group < groups; group++) {
    const sum = load<f32>(sums + ((<usize>group) << 2));
    if (sum != sum) continue;
    for (let e = group * size; e < (group + 1) * size; e++) {
      store<f32>(choice + ((<usize>e) << 2), NaN);
    }
  }
}

/** `scratch`: 8·experts bytes a thread. */
export function selectExperts(
  logits: usize, bias: usize, chosen: usize, scratch: usize,
  experts: i32, perToken: i32, groups: i32, selectedGroups: i32,
  begin: i32, end: i32, thread: i32,
): void {
  const rowBytes = (<usize>experts) << 2;
  const choice = scratch + <usize>thread * rowBytes * 2;
  for (let t = <usize>begin; t < <usize>end; t++) {
    writeChoices(logits + t * rowBytes, bias, choice, experts);
    if (groups > 1) keepBestGroups(choice, choice + rowBytes, experts, groups, selectedGroups);
    let to = chosen + ((t * <usize>perToken) << 2);
    for (let j = 0; j < perToken; j++) {
      const best = bestOf(choice, 0, experts);
      store<i32>(to, best);
      store<f32>(choice + ((<usize>best) << 2), NaN);
      to += 4;
    }
  }
}

/** sigmoid of the logit of a chosen expert. */
// @ts-ignore: decorator
@inline
function score(logits: usize, chosen: usize, j: usize): f64 {
  const expert = <usize>load<i32>(chosen + (j << 2));
  return sigmoid64(<f64>load<f32>(logits + (expert << 2)));
}

export function expertWeights(
  logits: usize, chosen: usize, weights: usize, experts: i32, perToken: i32,
  normalize: i32, scale: f64, begin: i32, end: i32, _thread: i32,
): void {
  const slots = <usize>perToken;
  for (let t = <usize>begin; t < <usize>end; t++) {
    const row = logits + ((t * <usize>experts) << 2);
    const own = chosen + ((t * slots) << 2);
    const to = weights + ((t * slots) << 2);
    let sum: f64 = 0;
    for (let j: usize = 0; j < slots; j++) {
      const s = score(row, own, j);
      sum += s;
      store<f32>(to + (j << 2), <f32>(s * scale));
    }
    if (!normalize) continue;
    for (let j: usize = 0; j < slots; j++) {
      store<f32>(to + (j << 2), <f32>(score(row, own, j) * scale / (sum + 1e-20)));
    }
  }
}

// w_j = scale·s_j/Σs:  ds_j = (scale·dw_j − Σ_i dw_i·w_i)/Σs;  ds/dlogit = s·(1 − s).
export function expertWeightsBackward(
  logits: usize, chosen: usize, dWeights: usize, dLogits: usize, experts: i32, perToken: i32,
  normalize: i32, scale: f64, begin: i32, end: i32, _thread: i32,
): void {
  const slots = <usize>perToken;
  for (let t = <usize>begin; t < <usize>end; t++) {
    const row = logits + ((t * <usize>experts) << 2);
    const own = chosen + ((t * slots) << 2);
    const from = dWeights + ((t * slots) << 2);
    let sum: f64 = 1;
    let mean: f64 = 0;
    if (normalize) {
      sum = 1e-20;
      for (let j: usize = 0; j < slots; j++) {
        const s = score(row, own, j);
        sum += s;
        mean += <f64>load<f32>(from + (j << 2)) * scale * s;
      }
      mean /= sum;
    }
    for (let j: usize = 0; j < slots; j++) {
      const s = score(row, own, j);
      const dScore = (scale * <f64>load<f32>(from + (j << 2)) - mean) / sum;
      const to = dLogits + ((t * <usize>experts + <usize>load<i32>(own + (j << 2))) << 2);
      store<f32>(to, <f32>(<f64>load<f32>(to) + dScore * s * (1 - s)));
    }
  }
}

// The router: choosing experts and weighting them. Items are rows. Everything here is in f64, because a
// choice between two close experts should not depend on the device.
import { exp2x64, sigmoid64, spreadLargest } from './math';

/** Marks what is not or no longer to be chosen; every choice is at least `lowestChoice`. */
const taken: f32 = -Infinity;
const lowestChoice: f32 = -1e38;

/** Writes sigmoid(logit) + bias of a row, both rounded to f32, to `choice`, and fills up its last vector. */
// @ts-ignore: decorator
@inline
function writeChoices(logits: usize, bias: usize, choice: usize, count: i32): void {
  const bytes = (<usize>count) << 2;
  const one = f64x2.splat(1);
  const lowest = f32x4.splat(lowestChoice);
  v128.store(choice + (bytes & ~15), f32x4.splat(taken));
  let i: usize = 0;
  for (; i + 8 <= bytes; i += 8) {
    const x = f64x2.promote_low_f32x4(v128.load64_zero(logits + i));
    const s = f64x2.div(one, f64x2.add(one, exp2x64(f64x2.neg(x))));
    const sum = f32x4.add(f32x4.demote_f64x2_zero(s), v128.load64_zero(bias + i));
    // Also where the sum is NaN, so that k experts are chosen even then.
    v128.store64_lane(choice + i, f32x4.pmax(lowest, sum), 0);
  }
  if (i < bytes) {
    const sum = <f32>sigmoid64(<f64>load<f32>(logits + i)) + load<f32>(bias + i);
    store<f32>(choice + i, sum > lowestChoice ? sum : lowestChoice);
  }
}

/** The place of the largest of `values`, the first on ties; whole vectors up to `bytes`. */
// @ts-ignore: decorator
@inline
function placeOfLargest(values: usize, bytes: usize): usize {
  let largest = v128.load(values);
  for (let i: usize = 16; i < bytes; i += 16) largest = f32x4.pmax(largest, v128.load(values + i));
  const all = spreadLargest(largest);
  let i: usize = 0;
  let equal = i32x4.bitmask(f32x4.eq(v128.load(values), all));
  while (!equal) {
    i += 16;
    equal = i32x4.bitmask(f32x4.eq(v128.load(values + i), all));
  }
  return (i >> 2) + <usize>ctz(equal);
}

/** Leaves only the experts of the groups whose two best sum to most. */
function keepBestGroups(
  choice: usize, sums: usize, experts: i32, groups: i32, selectedGroups: i32,
): void {
  const size = experts / groups;
  v128.store(sums + ((<usize>groups & ~3) << 2), f32x4.splat(taken));
  for (let group = 0; group < groups; group++) {
    let first: f32 = lowestChoice;
    let second: f32 = lowestChoice;
    for (let e = group * size; e < (group + 1) * size; e++) {
      const value = load<f32>(choice + ((<usize>e) << 2));
      second = max(second, min(first, value));
      first = max(first, value);
    }
    store<f32>(sums + ((<usize>group) << 2), size > 1 ? first + second : first);
  }
  for (let n = 0; n < selectedGroups; n++) {
    const best = placeOfLargest(sums, (<usize>groups) << 2);
    store<f32>(sums + (best << 2), taken);
  }
  for (let group = 0; group < groups; group++) {
    if (load<f32>(sums + ((<usize>group) << 2)) == taken) continue;
    for (let e = group * size; e < (group + 1) * size; e++) {
      store<f32>(choice + ((<usize>e) << 2), taken);
    }
  }
}

/** `scratch`: 8·experts + 32 bytes a thread. */
export function selectExperts(
  logits: usize, bias: usize, chosen: usize, scratch: usize,
  experts: i32, perToken: i32, groups: i32, selectedGroups: i32,
  begin: i32, end: i32, thread: i32,
): void {
  const rowBytes = (<usize>experts) << 2;
  const choice = scratch + <usize>thread * (rowBytes * 2 + 32);
  for (let t = <usize>begin; t < <usize>end; t++) {
    writeChoices(logits + t * rowBytes, bias, choice, experts);
    if (groups > 1) keepBestGroups(choice, choice + rowBytes + 16, experts, groups, selectedGroups);
    let to = chosen + ((t * <usize>perToken) << 2);
    for (let j = 0; j < perToken; j++) {
      const best = placeOfLargest(choice, rowBytes);
      store<i32>(to, <i32>best);
      store<f32>(choice + (best << 2), taken);
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

/** Both for rows of inference. */
export function routeRows(
  logits: usize, bias: usize, chosen: usize, weights: usize, scratch: usize,
  experts: i32, perToken: i32, groups: i32, selectedGroups: i32, normalize: i32, scale: f64,
  begin: i32, end: i32, thread: i32,
): void {
  selectExperts(
    logits, bias, chosen, scratch, experts, perToken, groups, selectedGroups, begin, end, thread,
  );
  expertWeights(logits, chosen, weights, experts, perToken, normalize, scale, begin, end, thread);
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

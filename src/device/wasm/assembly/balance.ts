// The sequence-wise balance loss (DeepSeek-V3, eq. 17 to 20).
import { sigmoid4 } from './math';

/** Items are documents [bounds[d], bounds[d+1]): frequency[d] = E/(k·T_d)·(times chosen). */
export function expertFrequency(
  chosen: usize, bounds: usize, frequency: usize, experts: i32, perToken: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  for (let document = <usize>begin; document < <usize>end; document++) {
    const first = load<i32>(bounds + (document << 2));
    const last = load<i32>(bounds + (document << 2), 4);
    const counts = frequency + ((document * <usize>experts) << 2);
    memory.fill(counts, 0, (<usize>experts) << 2);
    const stop = <usize>(last * perToken);
    for (let slot = <usize>(first * perToken); slot < stop; slot++) {
      const count = counts + ((<usize>load<i32>(chosen + (slot << 2))) << 2);
      store<f32>(count, load<f32>(count) + 1);
    }
    const factor = <f64>experts / <f64>(perToken * (last - first));
    for (let e: usize = 0; e < <usize>experts; e++) {
      const count = counts + (e << 2);
      store<f32>(count, <f32>(<f64>load<f32>(count) * factor));
    }
  }
}

/**
 * Items are rows; `document` i32 [T] numbers their documents. A row's part of the loss is
 * term = Σ_i f_i·s_i/Σs, and terms [T] (f64) over T sum to the loss. The gradient of term with respect
 * to s_i is (f_i − term)/Σs; it is added to dLogits, times `scale` (which has 1/T in it), unless
 * dLogits is 0. `scratch`: 4·experts bytes a thread.
 */
export function balanceLoss(
  logits: usize, document: usize, frequency: usize, terms: usize, dLogits: usize, scratch: usize,
  experts: i32, scale: f64, begin: i32, end: i32, thread: i32,
): void {
  const count = <usize>experts;
  const scores = scratch + ((<usize>thread * count) << 2);
  const bytes = count << 2;
  for (let t = <usize>begin; t < <usize>end; t++) {
    const row = (t * count) << 2;
    const frequencies = frequency + ((<usize>load<i32>(document + (t << 2)) * count) << 2);
    let sum: f64 = 0;
    let term: f64 = 0;
    let i: usize = 0;
    for (; i + 16 <= bytes; i += 16) {
      v128.store(scores + i, sigmoid4(v128.load(logits + row + i)));
    }
    for (; i < bytes; i += 4) {
      const s = sigmoid4(v128.load32_splat(logits + row + i));
      store<f32>(scores + i, f32x4.extract_lane(s, 0));
    }
    for (i = 0; i < bytes; i += 4) {
      const s = <f64>load<f32>(scores + i);
      sum += s;
      term += s * <f64>load<f32>(frequencies + i);
    }
    term /= sum;
    store<f64>(terms + (t << 3), term);
    if (!dLogits) continue;
    const factor = scale / sum;
    for (i = 0; i < bytes; i += 4) {
      const s = <f64>load<f32>(scores + i);
      const dScore = factor * (<f64>load<f32>(frequencies + i) - term);
      const to = dLogits + row + i;
      store<f32>(to, <f32>(<f64>load<f32>(to) + dScore * s * (1 - s)));
    }
  }
}

/** One item: loss = Σ terms / T. */
export function meanOfTerms(
  terms: usize, loss: usize, rows: i32, _begin: i32, _end: i32, _thread: i32,
): void {
  let sum: f64 = 0;
  for (let t: usize = 0; t < <usize>rows; t++) sum += load<f64>(terms + (t << 3));
  store<f32>(loss, rows ? <f32>(sum / <f64>rows) : 0);
}

// The inner loops of products with quantised weights. A matrix lies in tiles of 4 rows × 128 columns (see
// kernels/quantized-layout.ts): 32 bytes of scales, bf16, four rows for each of four groups of 32
// columns, then the numbers so that a vector holds 4 columns of each row. The dot product with 4 columns
// of activations, in every lane, is then one instruction, and nothing is summed across lanes.
//
// An element is the sum over groups, in order, of integer sum · (weight's scale · activation's scale),
// whatever the number of rows: a sequence decodes to the same bits alone, with others or in a prompt.
//
// The memory of the next page is fetched in time only if several pages are read at once, so a single row
// takes four blocks of rows that lie far apart: 12 to 13 GB/s a thread in place of 6 to 10 from one.
import { madd } from '../simd';

/** Marks numbers of 4 bits, two to a byte. */
export class Nibbles {}
/** Marks numbers of 8 bits. */
export class Bytes {}

export const columnsPerTile: usize = 128;
const groupSize: usize = 32;
const scaleBytes: usize = 32;

// In memory, because a vector of constants is made anew wherever it is used.
const lowHalves = memory.data<u32>([0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f], 16);

// @ts-ignore: decorator
@inline
export function tileBytes<Format>(): usize {
  return scaleBytes + (idof<Format>() == idof<Nibbles>() ? 256 : 512);
}

/** Bytes of a row of activations: its numbers, then a scale and a start for each group. */
// @ts-ignore: decorator
@inline
export function activationBytes(depth: usize): usize {
  return depth + (depth >> 2);
}

/**
 * sum + the products of 4 bytes in each lane. With relaxed SIMD the bytes of `w` are unsigned on some
 * machines and signed on others: the device stores them as the machine wants them.
 */
// @ts-ignore: decorator
@inline
export function dot(a: v128, w: v128, sum: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i32x4.relaxed_dot_i8x16_i7x16_add_s(a, w, sum);
  const low = i32x4.extadd_pairwise_i16x8_s(i16x8.extmul_low_i8x16_s(a, w));
  const high = i32x4.extadd_pairwise_i16x8_s(i16x8.extmul_high_i8x16_s(a, w));
  const even = v128.shuffle<i32>(low, high, 0, 2, 4, 6);
  const odd = v128.shuffle<i32>(low, high, 1, 3, 5, 7);
  return i32x4.add(sum, i32x4.add(even, odd));
}

/** The scales of a group in four rows. */
// @ts-ignore: decorator
@inline
function scales4(tile: usize): v128 {
  return i32x4.shl(v128.load16x4_u(tile), 16);
}

/** sum + dots · (scales · scale): the same roundings wherever it is used. */
// @ts-ignore: decorator
@inline
function addGroup(sum: v128, dots: v128, scales: v128, scale: v128): v128 {
  return madd(f32x4.convert_i32x4_s(dots), f32x4.mul(scales, scale), sum);
}

/** out [1,16] = row `a` times the rows of the blocks of four rows at p, q, r and s. */
export function tile1x16<Format>(
  a: usize, p: usize, q: usize, r: usize, s: usize, depth: usize, out: usize,
): void {
  const end = a + depth;
  const toStart = depth >> 3;
  const mask = v128.load(lowHalves);
  let scale = end;
  let sumP = f32x4.splat(0), sumQ = sumP, sumR = sumP, sumS = sumP;
  while (a < end) {
    let i = scaleBytes;
    for (let group: usize = 0; group < 4; group++) {
      let dotP = v128.load32_splat(scale + toStart), dotQ = dotP, dotR = dotP, dotS = dotP;
      if (idof<Format>() == idof<Nibbles>()) {
        for (let k: usize = 0; k < 16; k += 4) {
          const x = v128.load32_splat(a + k), y = v128.load32_splat(a + k, 16);
          let both = v128.load(p + i);
          dotP = dot(x, v128.and(both, mask), dotP);
          dotP = dot(y, v128.and(i16x8.shr_u(both, 4), mask), dotP);
          both = v128.load(q + i);
          dotQ = dot(x, v128.and(both, mask), dotQ);
          dotQ = dot(y, v128.and(i16x8.shr_u(both, 4), mask), dotQ);
          both = v128.load(r + i);
          dotR = dot(x, v128.and(both, mask), dotR);
          dotR = dot(y, v128.and(i16x8.shr_u(both, 4), mask), dotR);
          both = v128.load(s + i);
          dotS = dot(x, v128.and(both, mask), dotS);
          dotS = dot(y, v128.and(i16x8.shr_u(both, 4), mask), dotS);
          i += 16;
        }
      } else {
        for (let k: usize = 0; k < 32; k += 4) {
          const x = v128.load32_splat(a + k);
          dotP = dot(x, v128.load(p + i), dotP);
          dotQ = dot(x, v128.load(q + i), dotQ);
          dotR = dot(x, v128.load(r + i), dotR);
          dotS = dot(x, v128.load(s + i), dotS);
          i += 16;
        }
      }
      const own = v128.load32_splat(scale);
      const to = group << 3;
      sumP = addGroup(sumP, dotP, scales4(p + to), own);
      sumQ = addGroup(sumQ, dotQ, scales4(q + to), own);
      sumR = addGroup(sumR, dotR, scales4(r + to), own);
      sumS = addGroup(sumS, dotS, scales4(s + to), own);
      a += groupSize;
      scale += 4;
    }
    p += tileBytes<Format>(); q += tileBytes<Format>();
    r += tileBytes<Format>(); s += tileBytes<Format>();
  }
  v128.store(out, sumP);
  v128.store(out, sumQ, 16);
  v128.store(out, sumR, 32);
  v128.store(out, sumS, 48);
}

/**
 * out [2,8], its rows 64 bytes apart, = rows a and b times the rows of the blocks at p and q, of nibbles:
 * two rows share their unpacking.
 */
export function tile2x8(a: usize, b: usize, p: usize, q: usize, depth: usize, out: usize): void {
  const end = a + depth;
  const toStart = depth >> 3;
  const mask = v128.load(lowHalves);
  let aScale = end, bScale = b + depth;
  let sumAP = f32x4.splat(0), sumAQ = sumAP, sumBP = sumAP, sumBQ = sumAP;
  while (a < end) {
    let i = scaleBytes;
    for (let group: usize = 0; group < 4; group++) {
      let aP = v128.load32_splat(aScale + toStart), aQ = aP;
      let bP = v128.load32_splat(bScale + toStart), bQ = bP;
      for (let k: usize = 0; k < 16; k += 4) {
        let both = v128.load(p + i);
        const p0 = v128.and(both, mask), p1 = v128.and(i16x8.shr_u(both, 4), mask);
        both = v128.load(q + i);
        const q0 = v128.and(both, mask), q1 = v128.and(i16x8.shr_u(both, 4), mask);
        let x = v128.load32_splat(a + k), y = v128.load32_splat(a + k, 16);
        aP = dot(y, p1, dot(x, p0, aP)); aQ = dot(y, q1, dot(x, q0, aQ));
        x = v128.load32_splat(b + k); y = v128.load32_splat(b + k, 16);
        bP = dot(y, p1, dot(x, p0, bP)); bQ = dot(y, q1, dot(x, q0, bQ));
        i += 16;
      }
      const to = group << 3;
      const scalesP = scales4(p + to), scalesQ = scales4(q + to);
      const ownA = v128.load32_splat(aScale), ownB = v128.load32_splat(bScale);
      sumAP = addGroup(sumAP, aP, scalesP, ownA); sumAQ = addGroup(sumAQ, aQ, scalesQ, ownA);
      sumBP = addGroup(sumBP, bP, scalesP, ownB); sumBQ = addGroup(sumBQ, bQ, scalesQ, ownB);
      a += groupSize; b += groupSize;
      aScale += 4; bScale += 4;
    }
    p += tileBytes<Nibbles>(); q += tileBytes<Nibbles>();
  }
  v128.store(out, sumAP);
  v128.store(out, sumAQ, 16);
  v128.store(out, sumBP, 64);
  v128.store(out, sumBQ, 80);
}

/**
 * out [4,8], its rows 64 bytes apart, += rows a, b, c and d times the rows of the blocks at p and q, over
 * `tiles` tiles; scales of activations are `toScale` bytes from their numbers. The sums lie in `out`: there
 * are sixteen registers, and the integer sums take eight.
 */
export function tile4x8<Format>(
  a: usize, b: usize, c: usize, d: usize, toScale: usize, toStart: usize, p: usize, q: usize,
  tiles: usize, out: usize,
): void {
  const end = a + tiles * columnsPerTile;
  const mask = v128.load(lowHalves);
  let aScale = a + toScale, bScale = b + toScale, cScale = c + toScale, dScale = d + toScale;
  while (a < end) {
    let i = scaleBytes;
    for (let group: usize = 0; group < 4; group++) {
      let aP = v128.load32_splat(aScale + toStart), aQ = aP;
      let bP = v128.load32_splat(bScale + toStart), bQ = bP;
      let cP = v128.load32_splat(cScale + toStart), cQ = cP;
      let dP = v128.load32_splat(dScale + toStart), dQ = dP;
      if (idof<Format>() == idof<Nibbles>()) {
        for (let k: usize = 0; k < 16; k += 4) {
          // Both halves of a row at once, or the compiler puts dots off and numbers wait in memory.
          let both = v128.load(p + i);
          const p0 = v128.and(both, mask), p1 = v128.and(i16x8.shr_u(both, 4), mask);
          both = v128.load(q + i);
          const q0 = v128.and(both, mask), q1 = v128.and(i16x8.shr_u(both, 4), mask);
          let x = v128.load32_splat(a + k), y = v128.load32_splat(a + k, 16);
          aP = dot(y, p1, dot(x, p0, aP)); aQ = dot(y, q1, dot(x, q0, aQ));
          x = v128.load32_splat(b + k); y = v128.load32_splat(b + k, 16);
          bP = dot(y, p1, dot(x, p0, bP)); bQ = dot(y, q1, dot(x, q0, bQ));
          x = v128.load32_splat(c + k); y = v128.load32_splat(c + k, 16);
          cP = dot(y, p1, dot(x, p0, cP)); cQ = dot(y, q1, dot(x, q0, cQ));
          x = v128.load32_splat(d + k); y = v128.load32_splat(d + k, 16);
          dP = dot(y, p1, dot(x, p0, dP)); dQ = dot(y, q1, dot(x, q0, dQ));
          i += 16;
        }
      } else {
        for (let k: usize = 0; k < 32; k += 4) {
          const w = v128.load(p + i), v = v128.load(q + i);
          let x = v128.load32_splat(a + k); aP = dot(x, w, aP); aQ = dot(x, v, aQ);
          x = v128.load32_splat(b + k); bP = dot(x, w, bP); bQ = dot(x, v, bQ);
          x = v128.load32_splat(c + k); cP = dot(x, w, cP); cQ = dot(x, v, cQ);
          x = v128.load32_splat(d + k); dP = dot(x, w, dP); dQ = dot(x, v, dQ);
          i += 16;
        }
      }
      const to = group << 3;
      const scalesP = scales4(p + to), scalesQ = scales4(q + to);
      addGroups(out, aP, aQ, scalesP, scalesQ, v128.load32_splat(aScale));
      addGroups(out + 64, bP, bQ, scalesP, scalesQ, v128.load32_splat(bScale));
      addGroups(out + 128, cP, cQ, scalesP, scalesQ, v128.load32_splat(cScale));
      addGroups(out + 192, dP, dQ, scalesP, scalesQ, v128.load32_splat(dScale));
      a += groupSize; b += groupSize; c += groupSize; d += groupSize;
      aScale += 4; bScale += 4; cScale += 4; dScale += 4;
    }
    p += tileBytes<Format>();
    q += tileBytes<Format>();
  }
}

// @ts-ignore: decorator
@inline
function addGroups(
  out: usize, dotsP: v128, dotsQ: v128, scalesP: v128, scalesQ: v128, scale: v128,
): void {
  v128.store(out, addGroup(v128.load(out), dotsP, scalesP, scale));
  v128.store(out, addGroup(v128.load(out, 16), dotsQ, scalesQ, scale), 16);
}

/** Writes a block of four rows of nibbles, `tiles` tiles, as one of bytes. */
export function widenBlock(from: usize, tiles: usize, to: usize): void {
  const mask = v128.load(lowHalves);
  for (; tiles > 0; tiles--) {
    v128.store(to, v128.load(from));
    v128.store(to, v128.load(from, 16), 16);
    from += scaleBytes;
    to += scaleBytes;
    for (let group: usize = 0; group < 4; group++) {
      for (let i: usize = 0; i < 64; i += 16) {
        const both = v128.load(from + i);
        v128.store(to + i, v128.and(both, mask));
        v128.store(to + i, v128.and(i16x8.shr_u(both, 4), mask), 64);
      }
      from += 64;
      to += 128;
    }
  }
}

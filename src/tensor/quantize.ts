/** Rounding weights to groups of 8 or 4 bits and back, on the host: see `QuantizedMatrix`. */
import { Random } from '../random.ts';
import { groupSize, type QuantizedBits, type QuantizedRows } from './quantized-matrix.ts';

/**
 * To the nearest step, or up or down by chance, the nearer the likelier, so that a number is right on
 * average. The latter has up to twice the squared error, but keeps what moves weights by less than half
 * a step: a model that was trained on from weights of as few bits would be rounded back to these.
 */
export const ROUNDINGS = ['nearest', 'stochastic'] as const;
export type Rounding = (typeof ROUNDINGS)[number];

/** Rounds one number after another to a step that so many bits hold; the same each time. */
export function rounder(bits: QuantizedBits, rounding: Rounding): (steps: number) => number {
  const highest = 2 ** (bits - 1) - 1;
  const held = (step: number) => Math.max(-highest - 1, Math.min(highest, step));
  if (rounding === 'nearest') return (steps) => held(Math.round(steps));
  const random = new Random(0, 'rounding');
  return (steps) => held(Math.floor(steps + random.uniform()));
}

/** Quantises whole rows, given one after another. */
export function quantize(
  values: Float32Array,
  bits: QuantizedBits,
  rounding: Rounding = 'nearest',
): QuantizedRows {
  const groups = values.length / groupSize;
  if (!Number.isInteger(groups)) throw new Error(`${values.length} numbers are not whole groups`);
  const scales = new Uint16Array(groups);
  const numbers = new Uint8Array((values.length * bits) / 8);
  const scratch = new Int32Array(groupSize);
  const toStep = rounder(bits, rounding);
  for (let group = 0; group < groups; group++) {
    const first = group * groupSize;
    const code = scaleOf(values, first, bits);
    scales[group] = code;
    round(values, first, fromBfloat16(code), toStep, scratch);
    packGroup(scratch, group, bits, numbers);
  }
  return { numbers, scales };
}

/** The bfloat16 by which the group that begins at `first` is divided before it is rounded. */
export function scaleOf(values: Float32Array, first: number, bits: QuantizedBits): number {
  return bits === 8 ? byteScale(values, first) : nibbleScale(values, first);
}

/** Puts a group's steps in their place. */
export function packGroup(
  steps: Int32Array,
  group: number,
  bits: QuantizedBits,
  numbers: Uint8Array,
): void {
  const first = group * groupSize;
  if (bits === 8) {
    for (let i = 0; i < groupSize; i++) numbers[first + i] = steps[i]! + 128;
    return;
  }
  const half = groupSize / 2;
  for (let i = 0; i < half; i++) {
    numbers[first / 2 + i] = (steps[i]! + 8) | ((steps[i + half]! + 8) << 4);
  }
}

/** The numbers that quantised rows stand for. */
export function dequantize({ numbers, scales }: QuantizedRows, bits: QuantizedBits): Float32Array {
  const values = new Float32Array(scales.length * groupSize);
  for (let group = 0; group < scales.length; group++) {
    const scale = fromBfloat16(scales[group]!);
    const first = group * groupSize;
    const half = groupSize / 2;
    if (bits === 8) {
      for (let i = 0; i < groupSize; i++) values[first + i] = scale * (numbers[first + i]! - 128);
      continue;
    }
    for (let i = 0; i < half; i++) {
      const both = numbers[first / 2 + i]!;
      values[first + i] = scale * ((both & 15) - 8);
      values[first + i + half] = scale * ((both >> 4) - 8);
    }
  }
  return values;
}

/**
 * How far numbers are from the nearest steps: the mean squared distance, over that of numbers that lie
 * anywhere, 1/12 of a squared step. About 0.9 in 4 bits for weights that were never rounded, 0 for those
 * that are whole steps.
 */
export function distanceFromSteps(values: Float32Array, bits: QuantizedBits): number {
  const rows = quantize(values, bits);
  const rounded = dequantize(rows, bits);
  let sum = 0;
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    const scale = fromBfloat16(rows.scales[Math.floor(i / groupSize)]!);
    if (scale === 0) continue;
    sum += ((values[i]! - rounded[i]!) / scale) ** 2;
    count++;
  }
  return count === 0 ? 0 : (12 * sum) / count;
}

/** The smallest scale with which the largest number of a group is at most 127 steps. */
function byteScale(values: Float32Array, first: number): number {
  let largest = 0;
  for (let i = 0; i < groupSize; i++) largest = Math.max(largest, Math.abs(values[first + i]!));
  bitsOf[0] = largest / 127;
  return (codes[0]! + 0xffff) >>> 16;
}

/**
 * With 15 steps it matters where they lie: of some scales with which the largest number is rounded to
 * about −8 (so a scale may be negative) the one with the least squared error.
 */
function nibbleScale(values: Float32Array, first: number): number {
  let largest = 0;
  for (let i = 0; i < groupSize; i++) {
    if (Math.abs(values[first + i]!) > Math.abs(largest)) largest = values[first + i]!;
  }
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const steps of nibbleSteps) {
    const code = toBfloat16(largest / steps);
    const scale = fromBfloat16(code);
    const inverse = scale === 0 ? 0 : 1 / scale;
    let error = 0;
    for (let i = 0; i < groupSize; i++) {
      const value = values[first + i]!;
      const number = Math.max(-8, Math.min(7, Math.round(value * inverse)));
      error += (value - number * scale) ** 2;
    }
    if (error < least) {
      least = error;
      best = code;
    }
  }
  return best;
}

const nibbleSteps = [-8, -9.2, -8.8, -8.4, -7.6, -7.2, -6.8, 7.4, 7, 6.6];

function round(
  values: Float32Array,
  first: number,
  scale: number,
  toStep: (steps: number) => number,
  out: Int32Array,
): void {
  const inverse = scale === 0 ? 0 : 1 / scale;
  for (let i = 0; i < groupSize; i++) out[i] = toStep(values[first + i]! * inverse);
}

const codes = new Uint32Array(1);
const bitsOf = new Float32Array(codes.buffer);

/** The nearest bfloat16, the upper half of a float32. */
function toBfloat16(value: number): number {
  bitsOf[0] = value;
  return ((codes[0]! + 0x7fff + ((codes[0]! >>> 16) & 1)) >>> 16) & 0xffff;
}

export function fromBfloat16(code: number): number {
  codes[0] = code << 16;
  return bitsOf[0]!;
}

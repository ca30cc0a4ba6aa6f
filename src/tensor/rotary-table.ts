/**
 * The cosines and sines of rotary position embedding, for devices to multiply with.
 *
 * They are computed on the host because f32 sines of large angles are not to be had on a device. The
 * frequency and the angle are rounded to f32, as PyTorch does in training and serving: at position
 * 200000 the exact angle differs from the rounded one by a hundredth of a radian, and a checkpoint
 * expects the rounded one. Only then the cosine is taken, in f64.
 */
export interface RotaryTable {
  /** [T, rotaryDim/2] */
  cos: Float32Array;
  /** [T, rotaryDim/2] */
  sin: Float32Array;
}

/** theta^(−2i/rotaryDim), i from 0 to rotaryDim/2: radians a position. */
export function rotaryFrequencies(rotaryDim: number, theta: number): Float32Array {
  return Float32Array.from({ length: rotaryDim / 2 }, (_, i) => theta ** (-2 * (i / rotaryDim)));
}

/** Entry [t, i] has the angle positions[t]·theta^(−2i/rotaryDim). */
export function rotaryTable(positions: Int32Array, rotaryDim: number, theta: number): RotaryTable {
  const size = positions.length * (rotaryDim / 2);
  const table = { cos: new Float32Array(size), sin: new Float32Array(size) };
  fillRotaryTable(positions, rotaryDim, theta, table);
  return table;
}

/** Writes `rotaryTable` into arrays of the caller's. */
export function fillRotaryTable(
  positions: Int32Array,
  rotaryDim: number,
  theta: number,
  out: RotaryTable,
): void {
  const rotation = rotationFor(rotaryDim, theta);
  const { half } = rotation;
  let highest = 0;
  for (const position of positions) {
    if (position < rememberedPositions) highest = Math.max(highest, position);
  }
  remember(rotation, highest);
  for (let t = 0; t < positions.length; t++) {
    const position = positions[t]!;
    if (position < 0 || position >= rotation.known) {
      writeAngles(rotation.frequencies, position, out, t * half);
      continue;
    }
    const from = position * half;
    const to = t * half;
    for (let i = 0; i < half; i++) {
      out.cos[to + i] = rotation.cos[from + i]!;
      out.sin[to + i] = rotation.sin[from + i]!;
    }
  }
}

/** Positions below this are remembered; those of longer contexts are computed at each call. */
const rememberedPositions = 2 ** 15;

interface Rotation extends RotaryTable {
  half: number;
  frequencies: Float32Array;
  /** Positions 0 to known−1 are in `cos` and `sin`. */
  known: number;
}

const rotations = new Map<string, Rotation>();

function rotationFor(rotaryDim: number, theta: number): Rotation {
  const name = `${rotaryDim} ${theta}`;
  const present = rotations.get(name);
  if (present) return present;
  const half = rotaryDim / 2;
  const frequencies = rotaryFrequencies(rotaryDim, theta);
  const empty = new Float32Array(0);
  const rotation = { half, frequencies, known: 0, cos: empty, sin: empty };
  rotations.set(name, rotation);
  return rotation;
}

function remember(rotation: Rotation, highest: number): void {
  if (highest < rotation.known) return;
  const { half, known, frequencies } = rotation;
  // Doubling, so that decoding one position after another does not copy the table each time.
  const wanted = Math.min(rememberedPositions, Math.max(256, 2 * known, highest + 1));
  const cos = new Float32Array(wanted * half);
  const sin = new Float32Array(wanted * half);
  cos.set(rotation.cos);
  sin.set(rotation.sin);
  for (let position = known; position < wanted; position++) {
    writeAngles(frequencies, position, { cos, sin }, position * half);
  }
  Object.assign(rotation, { cos, sin, known: wanted });
}

function writeAngles(
  frequencies: Float32Array,
  position: number,
  out: RotaryTable,
  offset: number,
): void {
  for (let i = 0; i < frequencies.length; i++) {
    const angle = Math.fround(position * frequencies[i]!);
    out.cos[offset + i] = Math.cos(angle);
    out.sin[offset + i] = Math.sin(angle);
  }
}

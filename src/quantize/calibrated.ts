/**
 * Rounding a matrix so that its products change least, rather than its numbers: GPTQ (Frantar et al.
 * 2022, arXiv 2210.17323). With H = Σ x·xᵀ over the inputs x that a matrix met, columns are rounded one
 * after another, and what rounding one did to the product is made up for by those that come after it.
 */

import { fromBfloat16, packGroup, type Rounding, rounder, scaleOf } from '../tensor/quantize.ts';
import { groupSize, type QuantizedBits, type QuantizedRows } from '../tensor/quantized-matrix.ts';

/** What is added to the diagonal of H, as a share of its mean: for inputs that hardly vary. */
const DAMPING = 0.01;

/**
 * Quantises W [N,K], whose inputs had the second moments H [K,K]. An input that was always 0
 * is rounded for itself.
 */
export function quantizeCalibrated(
  values: Float32Array,
  moments: Float32Array,
  bits: QuantizedBits,
  rounding: Rounding = 'nearest',
): QuantizedRows {
  const columns = Math.sqrt(moments.length);
  const rows = values.length / columns;
  const factor = inverseFactor(moments, columns);
  const scales = new Uint16Array(values.length / groupSize);
  const numbers = new Uint8Array((values.length * bits) / 8);
  const row = new Float32Array(columns);
  const toStep = rounder(bits, rounding);
  for (let r = 0; r < rows; r++) {
    row.set(values.subarray(r * columns, (r + 1) * columns));
    roundRow(row, factor, { bits, toStep }, (group, scale, steps) => {
      const at = (r * columns) / groupSize + group;
      scales[at] = scale;
      packGroup(steps, at, bits, numbers);
    });
  }
  return { numbers, scales };
}

/** Rounds a row group by group; each has the scale of what is left of it when its turn comes. */
function roundRow(
  row: Float32Array,
  factor: Float64Array,
  { bits, toStep }: { bits: QuantizedBits; toStep: (steps: number) => number },
  done: (group: number, scale: number, steps: Int32Array) => void,
): void {
  const columns = row.length;
  const steps = new Int32Array(groupSize);
  for (let first = 0; first < columns; first += groupSize) {
    const code = scaleOf(row, first, bits);
    const scale = fromBfloat16(code);
    for (let column = first; column < first + groupSize; column++) {
      const value = row[column]!;
      const step = scale === 0 ? 0 : toStep(value / scale);
      steps[column - first] = step;
      const begin = column * columns;
      const error = (value - step * scale) / factor[begin + column]!;
      for (let later = column + 1; later < columns; later++) {
        row[later] = row[later]! - error * factor[begin + later]!;
      }
    }
    done(first / groupSize, code, steps);
  }
}

/** The upper triangle U of H⁻¹ = Uᵀ·U: with H = R·Rᵀ, R an upper triangle, it is R⁻¹. */
function inverseFactor(moments: Float32Array, size: number): Float64Array {
  const upper = Float64Array.from(moments);
  let trace = 0;
  for (let i = 0; i < size; i++) trace += upper[i * size + i]!;
  const damping = trace > 0 ? (DAMPING * trace) / size : 1;
  for (let i = 0; i < size; i++) upper[i * size + i]! += damping;
  // R from its last column to its first: H[i,j] = Σ_{k ≥ max(i,j)} R[i,k]·R[j,k].
  for (let j = size - 1; j >= 0; j--) {
    for (let i = j; i >= 0; i--) {
      let sum = upper[i * size + j]!;
      for (let k = j + 1; k < size; k++) sum -= upper[i * size + k]! * upper[j * size + k]!;
      upper[i * size + j] = i === j ? Math.sqrt(sum) : sum / upper[j * size + j]!;
    }
  }
  const inverse = new Float64Array(size * size);
  for (let j = 0; j < size; j++) {
    inverse[j * size + j] = 1 / upper[j * size + j]!;
    for (let i = j - 1; i >= 0; i--) {
      let sum = 0;
      for (let k = i + 1; k <= j; k++) sum += upper[i * size + k]! * inverse[k * size + j]!;
      inverse[i * size + j] = -sum / upper[i * size + i]!;
    }
  }
  return inverse;
}

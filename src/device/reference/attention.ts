import type { AttentionShape, Kernels, PastKeys } from '../../tensor/kernels.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { floats, ints } from './memory.ts';

export const attentionKernels: Pick<Kernels, 'attention' | 'attentionBackward'> = {
  attention(a) {
    const logSumExp = floats(a.logSumExp);
    for (let row = 0; row < a.query.rows; row++) {
      for (let head = 0; head < a.heads; head++) {
        const keys = visibleKeys(a, row, head, a.past);
        logSumExp[row * a.heads + head] = attendRow(a, row, head, keys);
      }
    }
  },

  // With P the probabilities and dP_j = valueScale·dOut·v_j:
  //   dv_j += valueScale·P_j·dOut,  dA_j = P_j·(dP_j − D),  D = Σ P_j·dP_j = dOut·out,
  //   dq += scale·dA_j·k_j,  dk_j += scale·dA_j·q,  dsink −= P_sink·D.
  attentionBackward(a) {
    const [dQuery, dKey, dValue] = [a.dQuery, a.dKey, a.dValue].map((tensor) => ({
      data: new Float64Array(tensor.size),
      tensor,
    })) as [Sums, Sums, Sums];
    const dSinks = new Float64Array(a.heads);
    const [gradient, output] = [floats(a.dOut), floats(a.out)];
    for (let row = 0; row < a.query.rows; row++) {
      for (let head = 0; head < a.heads; head++) {
        const keys = visibleKeys(a, row, head, null);
        const { probabilities, total } = softmaxRow(a, row, head, keys);
        const at = (row * a.heads + head) * a.valueDim;
        const dOut = gradient.subarray(at, at + a.valueDim);
        const mean = dot(dOut, output.subarray(at, at + a.valueDim));
        if (a.sinks) {
          const sink = Math.exp(floats(a.sinks)[head]! - total);
          dSinks[head] = dSinks[head]! - sink * mean;
        }
        const keyHead = keyHeadOf(a, head);
        const query = queryOf(a, row, head);
        keys.forEach(({ key, value, row: keyRow }, j) => {
          const dScore = probabilities[j]! * (a.valueScale * dot(dOut, value) - mean) * a.scale;
          const queryAt = (row * a.heads + head) * a.keyDim;
          const keyAt = (keyRow * a.keyValueHeads + keyHead) * a.keyDim;
          for (let i = 0; i < a.keyDim; i++) {
            dQuery.data[queryAt + i] = dQuery.data[queryAt + i]! + dScore * key[i]!;
            dKey.data[keyAt + i] = dKey.data[keyAt + i]! + dScore * query[i]!;
          }
          const valueAt = (keyRow * a.keyValueHeads + keyHead) * a.valueDim;
          const weight = a.valueScale * probabilities[j]!;
          for (let i = 0; i < a.valueDim; i++) {
            dValue.data[valueAt + i] = dValue.data[valueAt + i]! + weight * dOut[i]!;
          }
        });
      }
    }
    for (const { data, tensor } of [dQuery, dKey, dValue]) floats(tensor).set(data);
    if (a.dSinks) {
      const total = floats(a.dSinks);
      for (let head = 0; head < a.heads; head++) total[head] = total[head]! + dSinks[head]!;
    }
  },
};

interface Sums {
  data: Float64Array;
  tensor: Tensor;
}

/** A key that a row sees, and its value. */
export interface SeenKey {
  key: Float32Array;
  value: Float32Array;
}

interface VisibleKey extends SeenKey {
  /** Row of this call; −1 for a key of the past. */
  row: number;
}

type RowInputs = AttentionShape & { query: Tensor; sinks: Tensor | null };

type Inputs = RowInputs & { key: Tensor; value: Tensor; rowStart: Tensor };

/** Writes one head of a row of `out` and returns its logSumExp. */
export function attendRow(
  a: RowInputs & { out: Tensor },
  row: number,
  head: number,
  keys: readonly SeenKey[],
): number {
  const { probabilities, total } = softmaxRow(a, row, head, keys);
  const at = (row * a.heads + head) * a.valueDim;
  const output = floats(a.out);
  for (let i = 0; i < a.valueDim; i++) {
    let sum = 0;
    keys.forEach(({ value }, j) => {
      sum += probabilities[j]! * value[i]!;
    });
    output[at + i] = a.valueScale * sum;
  }
  return total;
}

export function keyHeadOf(shape: AttentionShape, head: number): number {
  return Math.floor(head / (shape.heads / shape.keyValueHeads));
}

function queryOf(a: RowInputs, row: number, head: number): Float32Array {
  const at = (row * a.heads + head) * a.keyDim;
  return floats(a.query).subarray(at, at + a.keyDim);
}

/** The keys and values that a row sees, in the order of their positions. */
function visibleKeys(a: Inputs, row: number, head: number, past: PastKeys | null): VisibleKey[] {
  const start = ints(a.rowStart)[row]!;
  const sequence = past ? ints(past.sequence)[row]! : 0;
  const pastLength = past ? ints(past.lengths)[sequence]! : 0;
  const position = pastLength + row - start;
  const first = a.window === null ? 0 : Math.max(0, position - a.window + 1);
  const keyHead = keyHeadOf(a, head);
  const seen: VisibleKey[] = [];
  const see = (keys: Tensor, values: Tensor, at: number, ownRow: number) => {
    const index = at * a.keyValueHeads + keyHead;
    seen.push({
      key: floats(keys).subarray(index * a.keyDim, (index + 1) * a.keyDim),
      value: floats(values).subarray(index * a.valueDim, (index + 1) * a.valueDim),
      row: ownRow,
    });
  };
  for (let p = first; p <= position; p++) {
    if (p >= pastLength) see(a.key, a.value, start + p - pastLength, start + p - pastLength);
    else see(past!.keys, past!.values, pastRow(past!, sequence, p), -1);
  }
  return seen;
}

/** The cache row of a position: see `PastKeys`. */
function pastRow(past: PastKeys, sequence: number, position: number): number {
  const width = past.table.columns;
  const page = Math.floor(position / past.pageSize) % width;
  return ints(past.table)[sequence * width + page]! * past.pageSize + (position % past.pageSize);
}

/** Report, eq. 2: softmax with one more logit, the sink, whose probability is dropped. */
function softmaxRow(a: RowInputs, row: number, head: number, keys: readonly SeenKey[]) {
  const query = queryOf(a, row, head);
  const scores = keys.map(({ key }) => a.scale * dot(query, key));
  const sink = a.sinks ? floats(a.sinks)[head]! : Number.NEGATIVE_INFINITY;
  const largest = scores.reduce((most, score) => Math.max(most, score), sink);
  let sum = Math.exp(sink - largest);
  for (const score of scores) sum += Math.exp(score - largest);
  const total = largest + Math.log(sum);
  return { probabilities: scores.map((score) => Math.exp(score - total)), total };
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

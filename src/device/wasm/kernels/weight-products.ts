import { type Matrix, QuantizedMatrix } from '../../../tensor/quantized-matrix.ts';
import { bytesPerElement, type Tensor } from '../../../tensor/tensor.ts';
import {
  type LaunchArgument,
  type Operand,
  type Runtime,
  read,
  update,
  write,
} from '../runtime.ts';
import type { Entries } from './expert-entries.ts';
import { rowGrain } from './grain.ts';

/** Rows of a matrix in a unit, and the bytes of its results for a row; as in assembly/inference/units.ts. */
const unitRows = 16;
const unitBytes = 64;
/** Units whose results lie in the same lines of a cache: no two threads should write to one. */
const unitsOfLine = 4;
/** Bytes of weights that are worth a thread's turn: microseconds of reading. */
const leastBytes = 2 ** 15;
/** So that threads finish together. */
const chunksPerThread = 6;
/** Rows that are multiplied in about the time in which the weights are read. */
const rowsPerRead = 3;

/** Rows as products with weights of one format want them. */
export interface Activations {
  operand: Operand;
  rows: number;
}

/** Rows of a table, and the norm that they get. */
interface Table<Weight extends Matrix> {
  table: Weight;
  rows: Tensor;
  norm: Tensor;
}

/**
 * What a product takes: `results` of a unit, in rows, and `more` bytes for each thread; and the items that
 * one thread should do.
 */
interface Work {
  results: number;
  more?: number;
  format: number;
  depth: number;
  together?: number;
}

/** 32 for f32, else the bits of a number. */
export function formatOf(matrix: Matrix): number {
  return matrix instanceof QuantizedMatrix ? matrix.bits : 32;
}

/** The memory of a matrix as an operand. */
function readMatrix(matrix: Matrix): Operand {
  return read(matrix instanceof QuantizedMatrix ? matrix.words : matrix);
}

/**
 * The products of inference, with weights of any format. A unit, the smallest piece of work, is 16 rows of
 * a matrix times all rows of activations of an entry.
 */
export class WeightProducts {
  readonly #runtime: Runtime;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /**
   * Rows of x for weights of `format`: all, or with a norm those that `rows` numbers, of which −1 gives
   * zeros. With a norm they are rmsNorm(x)·norm, which is then also written to `normed`.
   */
  prepare(
    x: Tensor,
    format: number,
    norm?: { weight: Tensor; epsilon: number; normed?: Tensor | undefined; rows?: Tensor | null },
  ): Activations {
    if (format === 32 && !norm) return { operand: read(x), rows: x.rows };
    const runtime = this.#runtime;
    const { columns } = x;
    const rows = norm?.rows?.size ?? x.rows;
    const packed = this.#packed(rows, columns, format);
    const normed = norm && (norm.normed ?? runtime.scratch(rows * columns * 4).tensor);
    const normArguments =
      norm && normed ? [read(norm.weight), norm.epsilon, write(normed)] : [0, 0, 0];
    const chosen = norm?.rows ? read(norm.rows) : 0;
    const args = [read(x), chosen, ...normArguments, packed ?? 0, columns, this.offsetOf(format)];
    runtime.launch('prepareActivations', args, rows, rowGrain(2 * columns));
    return { operand: packed ?? read(normed!), rows };
  }

  /** Rows of two tables side by side, by a norm each, for weights of `format`. */
  prepareJoined(a: Table<Matrix>, b: Table<Tensor>, epsilon: number, format: number): Activations {
    const runtime = this.#runtime;
    const rows = a.rows.size;
    const columns = a.table.columns + b.table.columns;
    const packed = this.#packed(rows, columns, format);
    const normed = runtime.scratch(rows * columns * 4);
    const own = formatOf(a.table);
    const args = [
      ...[readMatrix(a.table), own, this.offsetOf(own), read(a.rows), read(a.norm)],
      ...[a.table.columns, read(b.table), read(b.rows), read(b.norm), b.table.columns, epsilon],
      ...[normed, packed ?? 0, this.offsetOf(format)],
    ];
    runtime.launch('joinActivations', args, rows, rowGrain(4 * columns));
    return { operand: packed ?? normed, rows };
  }

  /** out (+)= activations · matrixᵀ; rows meet matrices by entries without a list. */
  multiply(
    { operand }: Activations,
    matrix: Matrix,
    out: Tensor,
    accumulate: boolean,
    entries: Entries,
  ): void {
    const [rows, depth] = matrix.shape.slice(-2) as [number, number];
    const format = formatOf(matrix);
    this.#launch(
      'multiplyMatrix',
      [
        ...[entries.operand, 0, 1, operand, readMatrix(matrix), format, rows, depth],
        ...[accumulate ? update(out) : write(out), accumulate ? 1 : 0],
      ],
      { results: entries.longest, format, depth },
      unitsOf(rows) * entries.count,
      unitWork(matrix, entries.longest),
    );
  }

  /**
   * out = silu(activations · gateᵀ)·(activations · upᵀ). Where entries have a list, of rows of `out`, the
   * rows of activations are these over `divisor`.
   */
  multiplyGated(
    { operand }: Activations,
    gate: Matrix,
    up: Matrix,
    out: Tensor,
    entries: Entries,
    divisor = 1,
  ): void {
    const [rows, depth] = gate.shape.slice(-2) as [number, number];
    const format = formatOf(gate);
    this.#launch(
      'multiplyGated',
      [
        ...[entries.operand, entries.list ?? 0, divisor, operand],
        ...[readMatrix(gate), readMatrix(up), format, rows, depth, write(out)],
      ],
      { results: 2 * entries.longest, format, depth },
      unitsOf(rows) * entries.count,
      2 * unitWork(gate, entries.longest),
    );
  }

  /** out [T,C] += Σ_j weights[t,j] · activations[t·k + j] · down_eᵀ; entries have a list of all slots. */
  addExperts(
    { operand, rows: slots }: Activations,
    down: Matrix,
    weights: Tensor,
    out: Tensor,
    entries: Entries,
  ): void {
    const [rows, depth] = down.shape.slice(-2) as [number, number];
    const format = formatOf(down);
    this.#launch(
      'addExperts',
      [
        ...[entries.operand, entries.count, entries.list ?? 0, operand, readMatrix(down), format],
        ...[read(weights), weights.columns, slots, rows, depth, update(out)],
      ],
      { results: 2 * slots, format, depth },
      unitsOf(rows),
      entries.count * unitWork(down, entries.longest),
    );
  }

  /** Heads of `weight` are the items: see assembly/inference/attention-inputs.ts. */
  attentionInputs(
    { operand, rows }: Activations,
    weight: Matrix,
    shape: { heads: number; keyValueHeads: number; headDim: number; valueDim: number },
    rotation: { rotaryDim: number; cos: Operand; sin: Operand },
    query: Tensor,
    cache: { keys: Tensor; values: Tensor; indices: Tensor },
  ): void {
    const { heads, keyValueHeads, headDim, valueDim } = shape;
    const { rotaryDim, cos, sin } = rotation;
    const format = formatOf(weight);
    this.#launch(
      'attentionInputs',
      [
        ...[operand, readMatrix(weight), format, rows, query.rows, weight.columns],
        ...[heads, keyValueHeads, headDim, valueDim, rotaryDim, cos, sin],
        ...[write(query), update(cache.keys), update(cache.values), read(cache.indices)],
        ...[bytesPerElement[cache.keys.dtype], this.#runtime.byteOffset],
      ],
      {
        results: rows,
        more: 4 * rows * Math.max(headDim, valueDim),
        format,
        depth: weight.columns,
        together: 1,
      },
      heads + 2 * keyValueHeads,
      Number.POSITIVE_INFINITY,
    );
  }

  /** `work`: of an item, in bytes of weights. */
  #launch(
    kernel: string,
    args: LaunchArgument[],
    { results, more = 0, format, depth, together = unitsOfLine }: Work,
    items: number,
    work: number,
  ): void {
    const runtime = this.#runtime;
    // Results of a unit; where nibbles may be widened, four blocks of four rows in bytes.
    const bytes = (results + 1) * unitBytes + more + (format === 4 ? depth * 17 : 0);
    const stride = Math.ceil(bytes / 64) * 64;
    const scratch = runtime.workspace(stride * runtime.threads);
    const worthwhile = Math.min((items * work) / leastBytes, runtime.threads * chunksPerThread);
    // As many for each thread, unless one is enough.
    const chunks = worthwhile < 1 ? 1 : Math.ceil(worthwhile / runtime.threads) * runtime.threads;
    const grain = Math.ceil(items / chunks / together) * together;
    runtime.launch(kernel, [...args, scratch, stride], items, grain);
  }

  #packed(rows: number, columns: number, format: number): Operand | null {
    return format === 32 ? null : this.#runtime.scratch(rows * columns * 1.25);
  }

  /** What is added to a weight's number as it is stored. */
  offsetOf(format: number): number {
    return format === 8 ? this.#runtime.byteOffset : 8;
  }
}

function unitsOf(rows: number): number {
  return Math.ceil(rows / unitRows);
}

/** The bytes of a unit, or more where multiplying takes longer than reading. */
function unitWork(matrix: Matrix, rows: number): number {
  const bytes = (matrix.byteLength / matrix.rows) * unitRows;
  return bytes * Math.max(1, rows / rowsPerRead);
}

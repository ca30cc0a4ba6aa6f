import type { Kernels } from '../../tensor/kernels.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { floats, ints } from './memory.ts';

export const matmulKernels: Pick<
  Kernels,
  'matmul' | 'groupedMatmul' | 'groupedMatmulTransposed' | 'groupedSwiglu'
> = {
  matmul({ a, b, out, transposeA, transposeB, accumulate, residual }) {
    if (residual) floats(out).set(floats(residual));
    const [rows, columns] = out.shape as [number, number];
    const inner = transposeA ? a.shape[0]! : a.shape[1]!;
    multiply(
      transposeA ? transposed(floats(a), rows) : straight(floats(a), inner),
      transposeB ? transposed(floats(b), inner) : straight(floats(b), columns),
      { data: floats(out), rows, columns, inner, accumulate: accumulate || residual != null },
    );
  },

  groupedMatmul({ a, b, second, offsets, out, transposeB, accumulate }) {
    const inner = a.columns;
    const columns = out.columns;
    const product = (left: Tensor, right: Tensor, adding: boolean) =>
      forEachGroup(ints(offsets), (expert, begin, end) => {
        const weight = floats(right.slice(expert, expert + 1));
        const data = floats(out.slice(begin, end));
        multiply(
          straight(floats(left.slice(begin, end)), inner),
          transposeB ? transposed(weight, inner) : straight(weight, columns),
          { data, rows: end - begin, columns, inner, accumulate: adding },
        );
      });
    product(a, b, accumulate);
    if (second) product(second.a, second.b, true);
  },

  groupedMatmulTransposed({ a, b, rowsOfB, offsets, out, accumulate }) {
    const [, rows, columns] = out.shape as [number, number, number];
    const data = floats(b);
    const rowOf = rowsOfB && ints(rowsOfB);
    forEachGroup(ints(offsets), (expert, begin, end) => {
      multiply(
        transposed(floats(a.slice(begin, end)), rows),
        (i, column) => data[(rowOf ? rowOf[begin + i]! : begin + i) * columns + column]!,
        {
          data: floats(out.slice(expert, expert + 1)),
          rows,
          columns,
          inner: end - begin,
          accumulate,
        },
      );
    });
  },

  groupedSwiglu({ x, tokens, offsets, gateWeight, upWeight, gate, up, out }) {
    const [input, rowOf] = [floats(x), ints(tokens)];
    const [inner, columns] = [x.columns, out.columns];
    const output = floats(out);
    forEachGroup(ints(offsets), (expert, begin, end) => {
      const products = [gateWeight, upWeight].map((weight) => {
        const data = new Float32Array((end - begin) * columns);
        multiply(
          (i, k) => input[rowOf[begin + i]! * inner + k]!,
          transposed(floats(weight.slice(expert, expert + 1)), inner),
          { data, rows: end - begin, columns, inner, accumulate: false },
        );
        return data;
      }) as [Float32Array, Float32Array];
      [gate, up].forEach((tensor, i) => {
        if (tensor) floats(tensor).set(products[i]!, begin * columns);
      });
      const [g, u] = products;
      for (let i = 0; i < g.length; i++) {
        output[begin * columns + i] = (g[i]! / (1 + Math.exp(-g[i]!))) * u[i]!;
      }
    });
  },
};

type Matrix = (row: number, column: number) => number;

const straight =
  (data: Float32Array, columns: number): Matrix =>
  (row, column) =>
    data[row * columns + column]!;

/** The transpose of a matrix that is stored with `columns` columns. */
const transposed =
  (data: Float32Array, columns: number): Matrix =>
  (row, column) =>
    data[column * columns + row]!;

function multiply(
  a: Matrix,
  b: Matrix,
  out: { data: Float32Array; rows: number; columns: number; inner: number; accumulate: boolean },
): void {
  const { data, rows, columns, inner, accumulate } = out;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = accumulate ? data[row * columns + column]! : 0;
      for (let i = 0; i < inner; i++) sum += a(row, i) * b(i, column);
      data[row * columns + column] = sum;
    }
  }
}

function forEachGroup(
  offsets: Int32Array,
  work: (expert: number, begin: number, end: number) => void,
): void {
  for (let expert = 0; expert + 1 < offsets.length; expert++) {
    work(expert, offsets[expert]!, offsets[expert + 1]!);
  }
}

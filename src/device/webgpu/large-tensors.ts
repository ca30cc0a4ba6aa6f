/**
 * Tensors of more bytes than WebGPU binds at once (`maxStorageBufferBindingSize`; often 2 or 4 GiB, on
 * small devices 128 MiB). These are weights, with their gradients and moments; activations are kept
 * smaller by the tokens of a micro-batch. Kernels that have weights are called once for each piece of
 * rows that can be bound; any other kernel refuses such a tensor with one line (`Runtime`), and so is a
 * quantised matrix, which is a quarter as large or less.
 */
import type { Kernels } from '../../tensor/kernels.ts';
import { type Matrix, QuantizedMatrix } from '../../tensor/quantized-matrix.ts';
import { sizeOf, type Tensor } from '../../tensor/tensor.ts';
import {
  addRowsBetween,
  copyRowsBetween,
  moves,
  shiftIndices,
  stretchOffsets,
} from './kernels/pieces.ts';
import type { Runtime } from './runtime.ts';

type Arguments<Name extends keyof Kernels> = Parameters<Kernels<Matrix>[Name]>[0];

/** The same kernels for tensors of any size. */
export function withLargeTensors(kernels: Kernels<Matrix>, runtime: Runtime): Kernels<Matrix> {
  const fits = (...tensors: Tensor[]) => tensors.every((tensor) => runtime.fitsBinding(tensor));
  const pieces = (tensor: Tensor) => piecesOf(tensor, runtime.bindingBytes);

  /** Kernels whose tensors all have one size, element by element. */
  const elementwise =
    <Call extends object>(kernel: (call: Call) => void, names: readonly (keyof Call)[]) =>
    (call: Call) => {
      const tensors = names.map((name) => call[name] as Tensor);
      if (fits(...tensors)) {
        kernel(call);
        return;
      }
      const flat = tensors.map((tensor) => tensor.reshape([tensor.size]));
      for (const { begin, end } of pieces(flat[0]!)) {
        const parts = names.map((name, i) => [name, flat[i]!.slice(begin, end)]);
        kernel({ ...call, ...Object.fromEntries(parts) });
      }
    };

  /** Indices into rows `begin` to `end` of a table; −1 where they lead elsewhere. */
  const indicesInto = (indices: Tensor, begin: number, end: number) => {
    const out = runtime.scratch(indices.shape, 'i32');
    const size = indices.size;
    const grid = runtime.grid(size, shiftIndices.threads);
    runtime.run(shiftIndices, { indices, out }, { size, begin, end }, grid);
    return out;
  };

  /** Columns of a matrix, from `begin` on, to or from a matrix of their own. */
  const moveColumns = (matrix: Tensor, part: Tensor, begin: number, move: keyof typeof moves) => {
    const sizes = { size: part.size, columns: part.columns, stride: matrix.columns, begin };
    runtime.run(moves[move], { matrix, part }, sizes, runtime.grid(part.size, 256));
  };

  const large: Kernels<Matrix> = {
    ...kernels,
    fill: elementwise(kernels.fill, ['out']),
    copy: elementwise(kernels.copy, ['source', 'out']),
    add: elementwise(kernels.add, ['a', 'b', 'out']),
    adamw: elementwise(kernels.adamw, ['parameter', 'gradient', 'firstMoment', 'secondMoment']),

    gradientStatistics(call) {
      const { x, out } = call;
      if (fits(x)) {
        kernels.gradientStatistics(call);
        return;
      }
      const groups = x.reshape([out.rows, x.size / out.rows]);
      for (let group = 0; group < groups.rows; group++) {
        const all = out.slice(group, group + 1);
        const flat = groups.slice(group, group + 1).reshape([groups.columns]);
        pieces(flat).forEach(({ begin, end }, i) => {
          const sums = i === 0 ? all : runtime.scratch([1, 2]);
          kernels.gradientStatistics({ x: flat.slice(begin, end), out: sums });
          if (i > 0) kernels.add({ a: all, b: sums, out: all });
        });
      }
    },

    gatherRows(call) {
      const { table, indices, out } = call;
      if (table instanceof QuantizedMatrix || fits(table)) {
        kernels.gatherRows(call);
        return;
      }
      const rows = runtime.scratch(out.shape);
      kernels.fill({ out, value: 0 });
      for (const { begin, end } of pieces(table)) {
        const inside = indicesInto(indices, begin, end);
        kernels.gatherRows({ table: table.slice(begin, end), indices: inside, out: rows });
        kernels.add({ a: out, b: rows, out });
      }
    },

    scatterAddRows(call) {
      const { source, indices, out } = call;
      if (fits(out)) {
        kernels.scatterAddRows(call);
        return;
      }
      for (const { begin, end } of pieces(out)) {
        const inside = indicesInto(indices, begin, end);
        kernels.scatterAddRows({ source, indices: inside, out: out.slice(begin, end) });
      }
    },

    matmul: function matmul(call: Arguments<'matmul'>): void {
      const { a, b, out, transposeA, transposeB, accumulate } = call;
      if (b instanceof QuantizedMatrix) {
        kernels.matmul(call);
        return;
      }
      const large = [a, b, out].find((tensor) => !fits(tensor));
      // One row alone that is too large cannot be split here, and is refused.
      if (!large || large.shape[0] === 1) {
        kernels.matmul(call);
        return;
      }
      if (call.residual) {
        kernels.copy({ source: call.residual, out });
        matmul({ ...call, residual: null, accumulate: true });
        return;
      }
      // The dimension that the rows of each tensor count.
      const rowsOf = { a: transposeA ? 'K' : 'M', b: transposeB ? 'N' : 'K', out: 'M' };
      const split = large === a ? rowsOf.a : large === b ? rowsOf.b : rowsOf.out;
      const has = { a: split !== 'N', b: split !== 'M', out: split !== 'K' };
      pieces(large).forEach(({ begin, end }, i) => {
        const part = (tensor: Tensor, name: 'a' | 'b' | 'out') => {
          if (!has[name]) return tensor;
          if (rowsOf[name] === split) return tensor.slice(begin, end);
          const columns = runtime.scratch([tensor.rows, end - begin]);
          if (name !== 'out') moveColumns(tensor, columns, begin, 'take');
          return columns;
        };
        const target = part(out, 'out');
        const isPlaced = has.out && rowsOf.out !== split;
        matmul({
          ...call,
          a: part(a, 'a'),
          b: part(b, 'b'),
          out: target,
          accumulate: isPlaced ? false : split === 'K' ? accumulate || i > 0 : accumulate,
        });
        if (isPlaced) moveColumns(out, target, begin, accumulate ? 'add' : 'put');
      });
    },

    groupedMatmul: function groupedMatmul(call: Arguments<'groupedMatmul'>): void {
      const { b, second, offsets, out, accumulate } = call;
      if (b instanceof QuantizedMatrix || (fits(b) && (!second || fits(second.b)))) {
        kernels.groupedMatmul(call);
        return;
      }
      if (second) {
        groupedMatmul({ ...call, second: null });
        groupedMatmul({ ...call, ...second, second: null, accumulate: true });
        return;
      }
      for (const { begin, end } of pieces(b)) {
        // The first and the last expert of a piece also get the rows of all before and after it, for
        // a kernel works on every row; then only the piece's own rows are kept.
        const own = runtime.scratch([end - begin + 1], 'i32');
        const total = out.rows;
        runtime.run(stretchOffsets, { offsets, out: own }, { begin, end, total }, [1, 1, 1]);
        const product = runtime.scratch(out.shape);
        const part = { b: b.slice(begin, end), offsets: own, out: product, accumulate: false };
        kernels.groupedMatmul({ ...call, ...part });
        runtime.run(
          accumulate ? addRowsBetween : copyRowsBetween,
          { source: product, offsets, out },
          { size: out.size, columns: out.columns, begin, end },
          runtime.grid(out.size, 256),
        );
      }
    },

    groupedSwiglu(call) {
      const { x, tokens, offsets, gateWeight, upWeight, out } = call;
      if (fits(gateWeight, upWeight)) {
        kernels.groupedSwiglu(call);
        return;
      }
      const rows = runtime.scratch([tokens.size, x.columns]);
      large.gatherRows({ table: x, indices: tokens, out: rows });
      const [gate, up] = [
        call.gate ?? runtime.scratch(out.shape),
        call.up ?? runtime.scratch(out.shape),
      ];
      const product = { a: rows, offsets, transposeB: true, accumulate: false };
      large.groupedMatmul({ ...product, b: gateWeight, out: gate });
      large.groupedMatmul({ ...product, b: upWeight, out: up });
      large.swiglu({ gate, up, out });
    },

    groupedMatmulTransposed(call) {
      const { offsets, out } = call;
      if (fits(out)) {
        kernels.groupedMatmulTransposed(call);
        return;
      }
      for (const { begin, end } of pieces(out)) {
        kernels.groupedMatmulTransposed({
          ...call,
          offsets: offsets.slice(begin, end + 1),
          out: out.slice(begin, end),
        });
      }
    },
  };
  return large;
}

/** Ranges of the first dimension that can be bound; where possible they begin where WebGPU can bind. */
function piecesOf({ shape }: Tensor, most: number): { begin: number; end: number }[] {
  const [count = 0, ...rest] = shape;
  const fitting = Math.max(1, Math.floor(most / (4 * sizeOf(rest))));
  const step = fitting < 64 ? fitting : fitting - (fitting % 64);
  return Array.from({ length: Math.ceil(count / step) }, (_, i) => ({
    begin: i * step,
    end: Math.min((i + 1) * step, count),
  }));
}

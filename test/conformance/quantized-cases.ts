/**
 * The kernels of inference with quantised weights. A device may round activations to bytes, which changes
 * nothing where they are whole numbers and each group has a 127: then the results must be exact. After a
 * norm they are not whole numbers, and the tolerance is that of bytes.
 */
import { groupSize, type QuantizedBits } from '../../src/tensor/quantized-matrix.ts';
import { sizeOf } from '../../src/tensor/tensor.ts';
import { copyOf, type HostTensor, intTensor, type OpCase, randomTensor } from './case.ts';
import { manyRows } from './many-row-cases.ts';
import { quantizedFusedCases } from './quantized-fused-cases.ts';
import { roundedToBytes, weightsOf } from './quantized-weights.ts';
import { TestRandom } from './random.ts';

const random = new TestRandom(6);

/** Whole numbers from −127 to 127, in each group a 127. */
function wholeNumbers(shape: number[]): HostTensor {
  const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) =>
    i % groupSize === 5 ? 127 : random.int(255) - 127,
  );
  return { shape, data };
}

/** Rows of activations, rows and columns of the matrix. */
const sizes: [number, number, number][] = [
  [1, 4, 128],
  [1, 64, 256],
  [2, 36, 384],
  [3, 20, 128],
  [4, 128, 128],
  [7, 60, 256],
  [17, 40, 128],
  [70, 96, 128],
  [150, 72, 384],
  [0, 16, 128],
];

function casesOf(bits: QuantizedBits): OpCase[] {
  const products: OpCase[] = sizes.flatMap(([rows, columns, inner]) =>
    [false, true].map((accumulate) => {
      const weight = randomTensor(random, [columns, inner], 0.1);
      return {
        name: `matmul [${rows},${inner}] to ${columns}, ${accumulate ? 'added' : 'written'}`,
        inputs: { a: wholeNumbers([rows, inner]), out: randomTensor(random, [rows, columns]) },
        differentiable: [],
        run: (scope, { a, out: before }) => {
          const out = copyOf(scope, before!);
          const b = weightsOf(scope, bits, weight);
          const form = { transposeA: false, transposeB: true, accumulate };
          scope.device.kernels.matmul({ a: a!, b, out, ...form });
          return { out };
        },
      };
    }),
  );

  const table = randomTensor(random, [24, 256], 0.5);
  const gather: OpCase = {
    name: 'gatherRows',
    inputs: { indices: intTensor([6], [3, 0, -1, 23, 10, 5]) },
    differentiable: [],
    run: (scope, { indices }) => {
      const out = scope.empty([6, 256]);
      const matrix = weightsOf(scope, bits, table);
      scope.device.kernels.gatherRows({ table: matrix, indices: indices!, out });
      return { out };
    },
  };

  const stacked = randomTensor(random, [5, 20, 128], 0.1);
  const grouped: OpCase[] = [
    [0, 3, 3, 4, 29, 31],
    [0, 70, 70, 71, 140, 152],
  ].map((offsets) => {
    const rows = offsets.at(-1)!;
    return {
      name: `groupedMatmul of ${rows}`,
      inputs: { a: wholeNumbers([rows, 128]), offsets: intTensor([6], offsets) },
      differentiable: [],
      run: (scope, { a, offsets }) => {
        const out = scope.empty([rows, 20]);
        const b = weightsOf(scope, bits, stacked);
        const form = { transposeB: true, accumulate: false };
        scope.device.kernels.groupedMatmul({ a: a!, b, offsets: offsets!, out, ...form });
        return { out };
      },
    };
  });

  const gated: OpCase[] = [1, 4, 19, manyRows].map((rows) => {
    const [gate, up] = [0, 1].map(() => randomTensor(random, [36, 128], 0.1));
    return {
      name: `normGatedProduct of ${rows}`,
      inputs: { x: randomTensor(random, [rows, 128]), norm: randomTensor(random, [128]) },
      differentiable: [],
      tolerance: roundedToBytes,
      run: (scope, { x, norm }) => {
        const out = scope.empty([rows, 36]);
        scope.device.kernels.normGatedProduct({
          x: x!,
          norm: norm!,
          epsilon: 1e-5,
          gate: weightsOf(scope, bits, gate!),
          up: weightsOf(scope, bits, up!),
          out,
        });
        return { out };
      },
    };
  });

  const experts: OpCase[] = [1, 3, 25].map((rows) => {
    const [count, perToken, inner, hidden] = [6, 3, 128, 128];
    const [gate, up] = [0, 1].map(() => randomTensor(random, [count, hidden, inner], 0.01));
    const down = randomTensor(random, [count, inner, hidden], 0.1);
    const chosen = Array.from({ length: rows }, () => {
      const first = random.int(count);
      return [first, (first + 1) % count, (first + 3) % count];
    });
    return {
      name: `expert products of ${rows}`,
      inputs: {
        x: wholeNumbers([rows, inner]),
        hidden: wholeNumbers([rows * perToken, hidden]),
        experts: intTensor([rows, perToken], chosen.flat()),
        weights: randomTensor(random, [rows, perToken]),
        before: randomTensor(random, [rows, inner]),
      },
      differentiable: [],
      run: (scope, t) => {
        const out = scope.empty([rows * perToken, hidden]);
        const added = copyOf(scope, t.before!);
        const { kernels } = scope.device;
        kernels.expertGatedProduct({
          x: t.x!,
          experts: t.experts!,
          gate: weightsOf(scope, bits, gate!),
          up: weightsOf(scope, bits, up!),
          out,
        });
        kernels.addExpertProducts({
          x: t.hidden!,
          experts: t.experts!,
          weights: t.weights!,
          down: weightsOf(scope, bits, down),
          out: added,
        });
        return { out, added };
      },
    };
  });

  const attention: OpCase[] = [
    { rows: 1, inner: 256 },
    { rows: 4, inner: 256 },
    { rows: 4, inner: 256, queries: 1 },
    { rows: manyRows, inner: 128 },
  ].map(({ rows, inner, queries = rows }) => {
    const shape = { heads: 4, keyValueHeads: 2, headDim: 12, valueDim: 8 };
    const columns = (shape.heads + shape.keyValueHeads) * 12 + shape.keyValueHeads * 8;
    const weight = randomTensor(random, [columns, inner], 0.1);
    // Four rows of each sequence, which has two pages.
    const each = [...Array(rows).keys()];
    const sequences = Math.ceil(rows / 4);
    const pages = [...Array(2 * sequences).keys()].reverse();
    const layout = [...each.map((row) => row % 4), ...each.map((row) => row >> 2), ...pages];
    return {
      name: `attentionInputs of ${rows}, ${queries} queries`,
      inputs: {
        x: randomTensor(random, [rows, inner]),
        norm: randomTensor(random, [inner]),
        layout: intTensor([layout.length], layout),
        keys: randomTensor(random, [8 * sequences, 24]),
        values: randomTensor(random, [8 * sequences, 16]),
      },
      differentiable: [],
      tolerance: roundedToBytes,
      run: (scope, t) => {
        const query = scope.empty([queries, 48]);
        const [keys, values] = [copyOf(scope, t.keys!), copyOf(scope, t.values!)];
        scope.device.kernels.attentionInputs({
          x: t.x!,
          norm: t.norm!,
          epsilon: 1e-5,
          weight: weightsOf(scope, bits, weight),
          ...shape,
          rotaryDim: 6,
          theta: 10_000,
          query,
          cache: { keys, values, pageSize: 4, width: 2, layout: t.layout! },
        });
        return { query, keys, values };
      },
    };
  });

  const fused = quantizedFusedCases(bits);
  const all = [...products, gather, ...grouped, ...gated, ...experts, ...attention, ...fused];
  return all.map((opCase) => ({
    ...opCase,
    name: `${bits} bits: ${opCase.name}`,
  }));
}

export const quantizedCases: OpCase[] = [...casesOf(8), ...casesOf(4)];

import { intTensor, type OpCase, randomTensor, rowStarts } from './case.ts';
import { TestRandom } from './random.ts';

const random = new TestRandom(2);

/** Kernels that no differentiable op covers. */
const plainCases: OpCase[] = [
  {
    name: 'writeRows skips negative indices',
    inputs: {
      source: randomTensor(random, [4, 9]),
      cache: randomTensor(random, [6, 9]),
      indices: intTensor([4], [5, -1, 0, 2]),
    },
    differentiable: [],
    run: (scope, { source, cache, indices }) => {
      const out = scope.empty([6, 9]);
      scope.device.kernels.copy({ source: cache!, out });
      scope.device.kernels.writeRows({ source: source!, indices: indices!, out });
      return { out };
    },
  },
  ...[
    [3, 5],
    [64, 33],
    [0, 8],
  ].map(
    (shape) =>
      ({
        name: `add [${shape}], also in place`,
        inputs: { a: randomTensor(random, shape), b: randomTensor(random, shape) },
        differentiable: [],
        run: (scope, { a, b }) => {
          const [sum, more] = [scope.empty(shape), scope.empty(shape)];
          scope.device.kernels.add({ a: a!, b: b!, out: sum });
          scope.device.kernels.copy({ source: sum, out: more });
          scope.device.kernels.add({ a: more, b: b!, out: more });
          return { sum, more };
        },
      }) satisfies OpCase,
  ),
  ...[
    [1, 5],
    [3, 1000],
    [7, 13],
  ].map(
    (shape) =>
      ({
        name: `argmax [${shape}], first of equals`,
        inputs: {
          x: { shape, data: random.floats(shape[0]! * shape[1]!).map((x) => Math.round(x * 4)) },
        },
        differentiable: [],
        run: (scope, { x }) => {
          const out = scope.empty([shape[0]!], 'i32');
          scope.device.kernels.argmax({ x: x!, out });
          return { out };
        },
      }) satisfies OpCase,
  ),
  ...[
    [1, 7],
    [3, 5000],
    [4, 33],
  ].map(
    (shape) =>
      ({
        name: `gradientStatistics [${shape}]`,
        inputs: {
          x: {
            shape,
            data: random.floats(shape[0]! * shape[1]!).map((x, i) => (i % 3 === 0 ? 0 : x)),
          },
        },
        differentiable: [],
        run: (scope, { x }) => {
          const out = scope.empty([shape[0]!, 2]);
          scope.device.kernels.gradientStatistics({ x: x!, out });
          return { out };
        },
      }) satisfies OpCase,
  ),
  ...[1, 77, 4096].map(
    (size) =>
      ({
        name: `adamw of ${size}`,
        inputs: {
          parameter: randomTensor(random, [size]),
          gradient: randomTensor(random, [size]),
          firstMoment: randomTensor(random, [size], 0.1),
          secondMoment: { shape: [size], data: random.floats(size, 0.1).map((x) => x * x) },
        },
        differentiable: [],
        run: (scope, inputs) => {
          const own = Object.fromEntries(
            Object.entries(inputs).map(([key, source]) => {
              const out = scope.empty(source.shape);
              scope.device.kernels.copy({ source, out });
              return [key, out];
            }),
          ) as Record<
            'parameter' | 'gradient' | 'firstMoment' | 'secondMoment',
            typeof inputs.any & {}
          >;
          scope.device.kernels.adamw({
            ...own,
            rate: 1e-2,
            beta1: 0.9,
            beta2: 0.95,
            epsilon: 1e-8,
            decay: 0.1,
            step: 3,
            gradientScale: 0.5,
          });
          return own;
        },
      }) satisfies OpCase,
  ),
];

export interface PastSizes {
  name: string;
  /** Positions held and rows of this call, of each sequence. */
  sequences: { past: number; rows: number }[];
  pageSize: number;
  width: number;
  window: number | null;
}

const pastSizes: PastSizes[] = [
  {
    name: 'nothing held yet',
    sequences: [{ past: 0, rows: 3 }],
    pageSize: 32,
    width: 1,
    window: null,
  },
  { name: 'one page', sequences: [{ past: 20, rows: 1 }], pageSize: 32, width: 1, window: null },
  {
    name: 'a chunk on a long past',
    sequences: [{ past: 300, rows: 40 }],
    pageSize: 512,
    width: 1,
    window: null,
  },
  {
    name: 'a ring that has wrapped',
    sequences: [{ past: 45, rows: 4 }],
    pageSize: 16,
    width: 1,
    window: 16,
  },
  {
    name: 'a chunk longer than the ring',
    sequences: [{ past: 45, rows: 40 }],
    pageSize: 16,
    width: 1,
    window: 16,
  },
  {
    name: 'several sequences on pages',
    sequences: [
      { past: 7, rows: 1 },
      { past: 0, rows: 5 },
      { past: 29, rows: 4 },
    ],
    pageSize: 8,
    width: 4,
    window: null,
  },
  {
    name: 'several rings of pages',
    sequences: [
      { past: 70, rows: 2 },
      { past: 3, rows: 3 },
      { past: 33, rows: 20 },
    ],
    pageSize: 8,
    width: 3,
    window: 16,
  },
];

const pastCases: OpCase[] = pastSizes.flatMap((sizes) =>
  [true, false].map((withSinks) => pastCase(sizes, withSinks)),
);

export function pastCase(
  sizes: PastSizes,
  withSinks: boolean,
  [heads, keyValueHeads, keyDim, valueDim]: [number, number, number, number] = [4, 2, 12, 8],
): OpCase {
  const { sequences, pageSize, width, window } = sizes;
  const rows = sequences.reduce((sum, { rows: count }) => sum + count, 0);
  const pages = sequences.length * width;
  return {
    name: `attention over a past: ${sizes.name}, window ${window}${withSinks ? ', sinks' : ''}`,
    inputs: {
      query: randomTensor(random, [rows, heads * keyDim]),
      key: randomTensor(random, [rows, keyValueHeads * keyDim]),
      value: randomTensor(random, [rows, keyValueHeads * valueDim]),
      ...(withSinks && { sinks: randomTensor(random, [heads]) }),
      rowStart: intTensor([rows], rowStarts(sequences.map(({ rows: count }) => count))),
      keys: randomTensor(random, [pages * pageSize, keyValueHeads * keyDim]),
      values: randomTensor(random, [pages * pageSize, keyValueHeads * valueDim]),
      // Pages handed out in reverse, so that none lies where a careless kernel would look.
      table: intTensor(
        [sequences.length, width],
        Array.from({ length: pages }, (_, i) => pages - 1 - i),
      ),
      lengths: intTensor(
        [sequences.length],
        sequences.map(({ past }) => past),
      ),
      sequence: intTensor(
        [rows],
        sequences.flatMap(({ rows: count }, s) => Array(count).fill(s)),
      ),
    },
    differentiable: [],
    tolerance: 4e-6,
    run: (scope, t) => {
      const out = scope.empty([rows, heads * valueDim]);
      const logSumExp = scope.empty([rows, heads]);
      scope.device.kernels.attention({
        query: t.query!,
        key: t.key!,
        value: t.value!,
        sinks: t.sinks ?? null,
        rowStart: t.rowStart!,
        past: {
          keys: t.keys!,
          values: t.values!,
          pageSize,
          table: t.table!,
          lengths: t.lengths!,
          sequence: t.sequence!,
        },
        heads,
        keyValueHeads,
        keyDim,
        valueDim,
        window,
        scale: keyDim ** -0.5,
        valueScale: 0.707,
        out,
        logSumExp,
      });
      return { out, logSumExp };
    },
  };
}

export const kernelCases: OpCase[] = [...plainCases, ...pastCases];

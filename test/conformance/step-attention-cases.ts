/** What steps do with a cache: write into it, and attend to it. */
import type { Tensor } from '../../src/tensor/tensor.ts';
import { type CacheSizes, type Heads, layoutOf, rowsOf } from './cached-rows.ts';
import { copyOf, intTensor, type OpCase, randomTensor } from './case.ts';
import { TestRandom } from './random.ts';

const random = new TestRandom(4);

const cacheSizes: CacheSizes[] = [
  { name: 'the first row', positions: [[0]], pageSize: 32, width: 1, window: null },
  { name: 'one row', positions: [[37]], pageSize: 16, width: 4, window: null },
  { name: 'a ring', positions: [[57]], pageSize: 8, width: 3, window: 16 },
  {
    name: 'several sequences',
    positions: [[7, 8], [0, 1, 2], [29], [13, 14, 15]],
    pageSize: 8,
    width: 4,
    window: null,
  },
  {
    name: 'several rings',
    positions: [[70, 71], [3], [33, 34]],
    pageSize: 8,
    width: 3,
    window: 16,
  },
  { name: 'a long past', positions: [[1290, 1291]], pageSize: 64, width: 24, window: null },
];

const shapes: Heads[] = [
  { heads: 4, keyValueHeads: 2, keyDim: 12, valueDim: 8 },
  { heads: 3, keyValueHeads: 1, keyDim: 10, valueDim: 5 },
];

function cacheInputs(sizes: CacheSizes, { keyValueHeads, keyDim, valueDim }: Heads) {
  const rows = sizes.positions.length * sizes.width * sizes.pageSize;
  return {
    keys: randomTensor(random, [rows, keyValueHeads * keyDim]),
    values: randomTensor(random, [rows, keyValueHeads * valueDim]),
    layout: layoutOf(sizes),
  };
}

const attentionInputsCases: OpCase[] = cacheSizes.slice(1, 5).flatMap((sizes) =>
  [
    { shape: shapes[0]!, inner: 64, rotaryDim: 6 },
    { shape: shapes[1]!, inner: 37, rotaryDim: 4 },
    { shape: shapes[1]!, inner: 300, rotaryDim: 0 },
    { shape: shapes[0]!, inner: 64, rotaryDim: 6, queries: 1 },
  ].map((others) => attentionInputsCase({ sizes, ...others })),
);

export function attentionInputsCase({
  sizes,
  shape,
  inner,
  rotaryDim,
  queries = rowsOf(sizes),
}: {
  sizes: CacheSizes;
  shape: Heads;
  inner: number;
  rotaryDim: number;
  /** Rows that have a query. */
  queries?: number;
}): OpCase {
  const { heads, keyValueHeads, keyDim, valueDim } = shape;
  const columns = (heads + keyValueHeads) * keyDim + keyValueHeads * valueDim;
  return {
    name: `attentionInputs: ${sizes.name}, ${inner} columns, ${rotaryDim} rotated, ${queries} queries`,
    inputs: {
      x: randomTensor(random, [rowsOf(sizes), inner]),
      norm: randomTensor(random, [inner]),
      weight: randomTensor(random, [columns, inner], 0.1),
      ...cacheInputs(sizes, shape),
    },
    differentiable: [],
    tolerance: 4e-6,
    run: (scope, t) => {
      const query = scope.empty([queries, heads * keyDim]);
      const [keys, values] = [copyOf(scope, t.keys!), copyOf(scope, t.values!)];
      const { pageSize, width } = sizes;
      scope.device.kernels.attentionInputs({
        ...{ x: t.x!, norm: t.norm!, epsilon: 1e-5, weight: t.weight! },
        ...{ heads, keyValueHeads, headDim: keyDim, valueDim, rotaryDim, theta: 10_000, query },
        cache: { keys, values, pageSize, width, layout: t.layout! },
      });
      return { query, keys, values };
    },
  };
}

/** What attention to a cache is asked for, but for where it goes. */
function attentionCall(sizes: CacheSizes, shape: Heads, t: Record<string, Tensor>) {
  const { pageSize, width, window } = sizes;
  return {
    ...{ ...shape, scale: shape.keyDim ** -0.5, valueScale: 0.707, window },
    ...{ query: t.query!, sinks: t.sinks ?? null },
    cache: { keys: t.keys!, values: t.values!, layout: t.layout!, pageSize, width },
  };
}

const cachedAttentionCases: OpCase[] = cacheSizes.flatMap((sizes) =>
  shapes.flatMap((shape) =>
    [true, false].map((withSinks): OpCase => {
      const { heads, keyDim, valueDim } = shape;
      return {
        name: `cachedAttention: ${sizes.name}, ${heads} heads of ${keyDim}${withSinks ? ', sinks' : ''}`,
        inputs: {
          query: randomTensor(random, [rowsOf(sizes), heads * keyDim]),
          ...(withSinks && { sinks: randomTensor(random, [heads]) }),
          ...cacheInputs(sizes, shape),
        },
        differentiable: [],
        tolerance: 4e-6,
        run: (scope, t) => {
          const out = scope.empty([rowsOf(sizes), heads * valueDim]);
          scope.device.kernels.cachedAttention({ ...attentionCall(sizes, shape, t), out });
          return { out };
        },
      };
    }),
  ),
);

/** A row of a head of 64 numbers, of few keys and of so many that they are split. */
const longHeads: Heads = { heads: 8, keyValueHeads: 2, keyDim: 64, valueDim: 32 };

const addAttentionCases: OpCase[] = [
  ...cacheSizes.flatMap((sizes) => shapes.map((shape) => ({ sizes, shape, columns: 21 }))),
  { sizes: cacheSizes[1]!, shape: longHeads, columns: 70 },
  { sizes: cacheSizes[4]!, shape: longHeads, columns: 70 },
  { sizes: cacheSizes[5]!, shape: longHeads, columns: 70 },
].flatMap((call) => [true, false].map((withSinks) => addAttentionCase({ ...call, withSinks })));

export function addAttentionCase({
  sizes,
  shape,
  columns,
  withSinks,
}: {
  sizes: CacheSizes;
  shape: Heads;
  columns: number;
  withSinks: boolean;
}): OpCase {
  const { heads, keyDim, valueDim } = shape;
  const rows = rowsOf(sizes);
  return {
    name: `addAttention: ${sizes.name}, ${heads} heads of ${keyDim}${withSinks ? ', sinks' : ''}`,
    inputs: {
      query: randomTensor(random, [rows, heads * keyDim]),
      ...(withSinks && { sinks: randomTensor(random, [heads]) }),
      ...cacheInputs(sizes, shape),
      weight: randomTensor(random, [columns, heads * valueDim], 0.3),
      before: randomTensor(random, [rows, columns]),
    },
    differentiable: [],
    tolerance: 4e-6,
    run: (scope, t) => {
      const out = copyOf(scope, t.before!);
      const call = { ...attentionCall(sizes, shape, t), weight: t.weight!, out };
      scope.device.kernels.addAttention(call);
      return { out };
    },
  };
}

const embedCases: OpCase[] = [
  { sizes: cacheSizes[1]!, inner: 64 },
  { sizes: cacheSizes[3]!, inner: 37 },
].map(embedCase);

export function embedCase({ sizes, inner }: { sizes: CacheSizes; inner: number }): OpCase {
  const { heads, keyValueHeads, keyDim, valueDim } = shapes[0]!;
  const columns = (heads + keyValueHeads) * keyDim + keyValueHeads * valueDim;
  const rows = rowsOf(sizes);
  return {
    name: `embedAttentionInputs: ${sizes.name}, ${inner} columns`,
    inputs: {
      table: randomTensor(random, [13, inner]),
      tokens: intTensor([rows], random.ints(rows, 13)),
      norm: randomTensor(random, [inner]),
      weight: randomTensor(random, [columns, inner], 0.1),
      ...cacheInputs(sizes, shapes[0]!),
    },
    differentiable: [],
    tolerance: 4e-6,
    run: (scope, t) => {
      const x = scope.empty([rows, inner]);
      const query = scope.empty([rows, heads * keyDim]);
      const [keys, values] = [copyOf(scope, t.keys!), copyOf(scope, t.values!)];
      const { pageSize, width } = sizes;
      scope.device.kernels.embedAttentionInputs({
        ...{ table: t.table!, tokens: t.tokens!, x, norm: t.norm!, epsilon: 1e-5 },
        ...{ weight: t.weight!, heads, keyValueHeads, headDim: keyDim, valueDim },
        ...{ rotaryDim: 6, theta: 10_000, query },
        cache: { keys, values, pageSize, width, layout: t.layout! },
      });
      return { x, query, keys, values };
    },
  };
}

export const stepAttentionCases: OpCase[] = [
  ...attentionInputsCases,
  ...cachedAttentionCases,
  ...addAttentionCases,
  ...embedCases,
];

import * as ops from '../../src/tensor/ops/index.ts';
import { type HostTensor, intTensor, type OpCase, randomTensor, rowStarts } from './case.ts';
import { TestRandom } from './random.ts';

const random = new TestRandom(1);

/** Sizes that do and do not divide the tiles of any device: [rows, inner, columns]. */
const matrixSizes: [number, number, number][] = [
  [1, 1, 1],
  [1, 64, 256],
  [2, 37, 19],
  [4, 96, 128],
  [5, 16, 8],
  [6, 8, 8],
  [7, 33, 65],
  [13, 100, 9],
  [48, 64, 64],
  [61, 130, 47],
  [97, 300, 33],
  [130, 515, 70],
  [0, 12, 8],
];

const linearCases: OpCase[] = matrixSizes.map(linearCase);

export function linearCase([rows, inner, columns]: [number, number, number]): OpCase {
  return {
    name: `linear [${rows},${inner}] to ${columns}`,
    inputs: {
      x: randomTensor(random, [rows, inner]),
      weight: randomTensor(random, [columns, inner], 0.2),
    },
    differentiable: ['x', 'weight'],
    run: (scope, { x, weight }) => ({ out: ops.linear(scope, x!, weight!) }),
  };
}

/** A block as in a decoder layer: two gradients meet at x, which is not a parameter. */
export function residualCase(rows: number, columns: number): OpCase {
  return {
    name: `linear(rmsNorm(x)) plus x [${rows},${columns}]`,
    inputs: {
      input: randomTensor(random, [rows, columns]),
      first: randomTensor(random, [columns, columns], columns ** -0.5),
      norm: randomTensor(random, [columns]),
      second: randomTensor(random, [columns, columns], columns ** -0.5),
    },
    differentiable: ['input', 'first', 'norm', 'second'],
    run: (scope, { input, first, norm, second }) => {
      const x = ops.linear(scope, input!, first!);
      const normed = ops.rmsNorm(scope, x, norm!, 1e-5);
      return { out: ops.linear(scope, normed, second!, { residual: x }) };
    },
  };
}

const residualCases = [residualCase(3, 5), residualCase(70, 36), residualCase(40, 130)];

/** Rows of each expert: none, one, some, all to one. */
const groupings: number[][] = [
  [3, 0, 5, 1],
  [0, 0, 17],
  [1],
  [40, 7, 0, 0, 33, 1, 2, 9],
  [0, 0, 0],
  [130, 65],
];

const groupedCases: OpCase[] = groupings.flatMap((counts) => [
  groupedCase(counts, 24, 40),
  groupedCase(counts, 9, 7),
]);

export function groupedCase(counts: number[], inner: number, columns: number): OpCase {
  const slots = counts.reduce((a, b) => a + b, 0);
  const offsets = counts.reduce((list, count) => [...list, list.at(-1)! + count], [0]);
  return {
    name: `groupedLinear rows ${counts}, ${inner} to ${columns}`,
    inputs: {
      x: randomTensor(random, [slots, inner]),
      weight: randomTensor(random, [counts.length, columns, inner], 0.3),
      offsets: intTensor([counts.length + 1], offsets),
    },
    differentiable: ['x', 'weight'],
    run: (scope, { x, weight, offsets: begin }) => ({
      out: ops.groupedLinear(scope, x!, weight!, begin!),
    }),
  };
}

const elementwiseCases: OpCase[] = [
  [3, 5],
  [1, 1],
  [64, 33],
  [0, 8],
].flatMap((shape): OpCase[] => [
  {
    name: `swiglu [${shape}]`,
    inputs: { gate: randomTensor(random, shape, 3), up: randomTensor(random, shape) },
    differentiable: ['gate', 'up'],
    run: (scope, { gate, up }) => ({ out: ops.swiglu(scope, gate!, up!) }),
  },
  {
    name: `concatColumns [${shape}] with 3 more`,
    inputs: { a: randomTensor(random, shape), b: randomTensor(random, [shape[0]!, 3]) },
    differentiable: ['a', 'b'],
    run: (scope, { a, b }) => ({ out: ops.concatColumns(scope, a!, b!) }),
  },
  {
    name: `rmsNorm [${shape}]`,
    inputs: { x: randomTensor(random, shape), weight: randomTensor(random, [shape[1]!]) },
    differentiable: ['x', 'weight'],
    run: (scope, { x, weight }) => ({ out: ops.rmsNorm(scope, x!, weight!, 1e-5) }),
  },
]);

const rowCases: OpCase[] = [
  {
    name: 'gatherRows with repeats and a negative index',
    inputs: {
      table: randomTensor(random, [11, 13]),
      indices: intTensor([7], [3, 0, 3, -1, 10, 3, 5]),
    },
    differentiable: ['table'],
    run: (scope, { table, indices }) => ({ out: ops.gatherRows(scope, table!, indices!) }),
  },
  {
    name: 'gatherRows of many rows',
    inputs: {
      table: randomTensor(random, [50, 32]),
      indices: intTensor([300], random.ints(300, 50)),
    },
    differentiable: ['table'],
    run: (scope, { table, indices }) => ({ out: ops.gatherRows(scope, table!, indices!) }),
  },
];

const rotaryCases: OpCase[] = [
  { heads: 3, headDim: 24, rotaryDim: 8, theta: 10_000 },
  { heads: 1, headDim: 6, rotaryDim: 6, theta: 5_000_000 },
  { heads: 4, headDim: 192, rotaryDim: 64, theta: 5_000_000 },
].map(({ heads, headDim, rotaryDim, theta }) => ({
  name: `rotary ${heads} heads of ${headDim}, ${rotaryDim} rotated`,
  inputs: {
    x: randomTensor(random, [9, heads * headDim]),
    positions: intTensor([9], [0, 1, 2, 0, 1, 127, 5000, 100_000, 262_143]),
  },
  differentiable: ['x'],
  run: (scope, { x, positions }) => ({
    out: ops.rotary(scope, x!, positions!, { headDim, rotaryDim, theta }),
  }),
}));

export interface AttentionSizes {
  name: string;
  documents: number[];
  heads: number;
  keyValueHeads: number;
  keyDim: number;
  valueDim: number;
  window: number | null;
  sinks: boolean;
}

const attentionSizes: AttentionSizes[] = [
  { name: 'one token', documents: [1], heads: 2, keyValueHeads: 1, keyDim: 8, valueDim: 4 },
  { name: 'odd sizes', documents: [13, 1, 30], heads: 6, keyValueHeads: 3, keyDim: 7, valueDim: 5 },
  { name: 'tiny', documents: [96], heads: 4, keyValueHeads: 1, keyDim: 24, valueDim: 16 },
  { name: 'long', documents: [200, 150], heads: 2, keyValueHeads: 2, keyDim: 16, valueDim: 16 },
  { name: 'real heads', documents: [40], heads: 4, keyValueHeads: 2, keyDim: 192, valueDim: 128 },
].flatMap((sizes) =>
  [
    { window: null, sinks: false },
    { window: 16, sinks: true },
    { window: 1, sinks: false },
    { window: null, sinks: true },
  ].map((kind) => ({ ...sizes, ...kind })),
);

const attentionCases: OpCase[] = attentionSizes.map(attentionCase);

export function attentionCase(sizes: AttentionSizes): OpCase {
  const { documents, heads, keyValueHeads, keyDim, valueDim, window } = sizes;
  const rows = documents.reduce((a, b) => a + b, 0);
  return {
    name: `attention ${sizes.name}, window ${window}${sizes.sinks ? ', sinks' : ''}`,
    inputs: {
      query: randomTensor(random, [rows, heads * keyDim]),
      key: randomTensor(random, [rows, keyValueHeads * keyDim]),
      value: randomTensor(random, [rows, keyValueHeads * valueDim]),
      ...(sizes.sinks && { sinks: randomTensor(random, [heads]) }),
      rowStart: intTensor([rows], rowStarts(documents)),
    },
    differentiable: ['query', 'key', 'value', ...(sizes.sinks ? ['sinks'] : [])],
    run: (scope, { query, key, value, sinks, rowStart }) => ({
      out: ops.attention(
        scope,
        {
          query: query!,
          key: key!,
          value: value!,
          sinks: sinks ?? null,
          rowStart: rowStart!,
          past: null,
        },
        {
          heads,
          keyValueHeads,
          keyDim,
          valueDim,
          window,
          scale: keyDim ** -0.5,
          valueScale: 0.707,
        },
      ),
    }),
    tolerance: 4e-6,
  };
}

const expertCases: OpCase[] = [
  { tokens: 1, count: 4, perToken: 2, groups: 1, selectedGroups: 1, normalize: true },
  { tokens: 37, count: 8, perToken: 2, groups: 1, selectedGroups: 1, normalize: true },
  { tokens: 20, count: 16, perToken: 4, groups: 4, selectedGroups: 2, normalize: false },
  { tokens: 9, count: 256, perToken: 8, groups: 1, selectedGroups: 1, normalize: true },
  { tokens: 0, count: 8, perToken: 2, groups: 1, selectedGroups: 1, normalize: true },
].flatMap(({ tokens, count, perToken, groups, selectedGroups, normalize }): OpCase[] => {
  const scale = normalize ? 1 : 2.5;
  const documents = tokens > 5 ? [5, tokens - 5] : [tokens];
  const chosen = Array.from({ length: tokens }, () => distinct(perToken, count)).flat();
  const shared = {
    logits: randomTensor(random, [tokens, count]),
    experts: intTensor([tokens, perToken], chosen),
  };
  const label = `${tokens} tokens, ${perToken} of ${count}`;
  return [
    {
      name: `selectExperts ${label}, ${selectedGroups} of ${groups} groups`,
      inputs: { logits: shared.logits, bias: randomTensor(random, [count], 0.3) },
      differentiable: [],
      run: (scope, { logits, bias }) => ({
        experts: ops.selectExperts(scope, logits!, bias!, { perToken, groups, selectedGroups }),
      }),
    },
    {
      name: `expertWeights ${label}`,
      inputs: shared,
      differentiable: ['logits'],
      run: (scope, { logits, experts }) => ({
        weights: ops.expertWeights(scope, logits!, experts!, { normalize, scale }),
      }),
    },
    {
      name: `groupByExpert and combineRows ${label}`,
      inputs: {
        source: randomTensor(random, [tokens * perToken, 10]),
        weights: randomTensor(random, [tokens, perToken]),
        experts: shared.experts,
      },
      differentiable: ['source', 'weights'],
      run: (scope, { source, weights, experts }) => {
        const groups = ops.groupByExpert(scope, experts!, count);
        return { out: ops.combineRows(scope, source!, weights!, groups), ...groups };
      },
      outputs: ['out'],
    },
    // A grouped product has a workgroup for each expert, which takes a software adapter minutes.
    ...(count > 16 ? [] : [true, false]).map((withResidual) =>
      expertLayerCase(label, {
        ...{ tokens, count, columns: 10, inner: 7, withResidual },
        experts: shared.experts,
      }),
    ),
    {
      name: `balanceLoss ${label}`,
      inputs: { ...shared, rowStart: intTensor([tokens], rowStarts(documents)) },
      differentiable: ['logits'],
      run: (scope, { logits, experts, rowStart }) => ({
        loss: ops.balanceLoss(scope, logits!, experts!, rowStart!, 1),
      }),
      // It adds its own gradient, as if seeded with 1.
      outputs: [],
    },
  ];
});

/** Experts without a router: rows of x to the experts given, and their sum. */
export function expertLayerCase(
  label: string,
  sizes: {
    tokens: number;
    count: number;
    columns: number;
    inner: number;
    withResidual: boolean;
    experts: HostTensor;
  },
): OpCase {
  const { tokens, count, columns, inner, withResidual, experts } = sizes;
  return {
    name: `experts ${label}${withResidual ? ', residual' : ''}`,
    inputs: {
      x: randomTensor(random, [tokens, columns]),
      gate: randomTensor(random, [count, inner, columns], columns ** -0.5),
      up: randomTensor(random, [count, inner, columns], columns ** -0.5),
      weights: randomTensor(random, experts.shape),
      experts,
      ...(withResidual && { residual: randomTensor(random, [tokens, inner]) }),
    },
    differentiable: ['x', 'gate', 'up', 'weights', ...(withResidual ? ['residual'] : [])],
    run: (scope, { x, gate, up, weights, experts: chosen, residual }) => {
      const groups = ops.groupByExpert(scope, chosen!, count);
      const active = ops.groupedSwiglu(scope, x!, gate!, up!, groups);
      return { out: ops.combineRows(scope, active, weights!, groups, residual), ...groups };
    },
    outputs: ['out'],
  };
}

function distinct(count: number, limit: number): number[] {
  const chosen = new Set<number>();
  while (chosen.size < count) chosen.add(random.int(limit));
  return [...chosen];
}

const logprobCases: OpCase[] = [
  { rows: 1, width: 8, vocabulary: 3, deviation: 1 },
  { rows: 9, width: 16, vocabulary: 257, deviation: 1 },
  { rows: 33, width: 20, vocabulary: 1000, deviation: 8 },
  { rows: 0, width: 4, vocabulary: 8, deviation: 1 },
].map(({ rows, width, vocabulary, deviation }) => ({
  name: `tokenLogprobs [${rows},${width}], ${vocabulary} tokens, deviation ${deviation}`,
  inputs: {
    hidden: randomTensor(random, [rows, width], deviation),
    head: randomTensor(random, [vocabulary, width], 0.5),
    targets: intTensor(
      [rows],
      random.ints(rows, vocabulary).map((target, row) => (row % 5 === 3 ? -1 : target)),
    ),
  },
  differentiable: ['hidden', 'head'],
  run: (scope, { hidden, head, targets }) => ({
    ...ops.tokenLogprobs(scope, hidden!, head!, targets!),
  }),
  outputs: ['logProbability'],
  tolerance: 5e-6,
}));

export const opCases: OpCase[] = [
  ...linearCases,
  ...residualCases,
  ...groupedCases,
  ...elementwiseCases,
  ...rowCases,
  ...rotaryCases,
  ...attentionCases,
  ...expertCases,
  ...logprobCases,
];

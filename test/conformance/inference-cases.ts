import type { CachedRows } from '../../src/tensor/inference-kernels.ts';
import type { Scope } from '../../src/tensor/scope.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { type HostTensor, intTensor, type OpCase, randomTensor } from './case.ts';
import { TestRandom } from './random.ts';

const random = new TestRandom(4);

/** A tensor of the test's own, since inputs are not to be written. */
function copyOf(scope: Scope, source: Tensor): Tensor {
  const out = scope.empty(source.shape, source.dtype);
  scope.device.kernels.copy({ source, out });
  return out;
}

interface CacheSizes {
  name: string;
  /** The positions of each sequence's rows in the call. */
  positions: number[][];
  pageSize: number;
  width: number;
  window: number | null;
}

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

interface Heads {
  heads: number;
  keyValueHeads: number;
  keyDim: number;
  valueDim: number;
}

const shapes: Heads[] = [
  { heads: 4, keyValueHeads: 2, keyDim: 12, valueDim: 8 },
  { heads: 3, keyValueHeads: 1, keyDim: 10, valueDim: 5 },
];

function layoutOf({ positions, width }: CacheSizes): HostTensor {
  const rows = positions.flatMap((own, sequence) => own.map((position) => [position, sequence]));
  // Pages handed out in reverse, so that none lies where a careless kernel would look.
  const pages = positions.length * width;
  const table = Array.from({ length: pages }, (_, i) => pages - 1 - i);
  const data = [...rows.map(([position]) => position!), ...rows.map(([, s]) => s!), ...table];
  return intTensor([data.length], data);
}

function cacheInputs(sizes: CacheSizes, { keyValueHeads, keyDim, valueDim }: Heads) {
  const rows = sizes.positions.length * sizes.width * sizes.pageSize;
  return {
    keys: randomTensor(random, [rows, keyValueHeads * keyDim]),
    values: randomTensor(random, [rows, keyValueHeads * valueDim]),
    layout: layoutOf(sizes),
  };
}

const rowsOf = ({ positions }: CacheSizes) => positions.flat().length;

const attentionInputsCases: OpCase[] = cacheSizes.slice(1, 5).flatMap((sizes) =>
  [
    { shape: shapes[0]!, inner: 64, rotaryDim: 6 },
    { shape: shapes[1]!, inner: 37, rotaryDim: 4 },
    { shape: shapes[1]!, inner: 300, rotaryDim: 0 },
  ].map(({ shape, inner, rotaryDim }): OpCase => {
    const { heads, keyValueHeads, keyDim, valueDim } = shape;
    const columns = (heads + keyValueHeads) * keyDim + keyValueHeads * valueDim;
    return {
      name: `attentionInputs: ${sizes.name}, ${inner} columns, ${rotaryDim} rotated`,
      inputs: {
        x: randomTensor(random, [rowsOf(sizes), inner]),
        norm: randomTensor(random, [inner]),
        weight: randomTensor(random, [columns, inner], 0.1),
        ...cacheInputs(sizes, shape),
      },
      differentiable: [],
      tolerance: 4e-6,
      run: (scope, t) => {
        const query = scope.empty([rowsOf(sizes), heads * keyDim]);
        const [keys, values] = [copyOf(scope, t.keys!), copyOf(scope, t.values!)];
        const { pageSize, width } = sizes;
        scope.device.kernels.attentionInputs({
          x: t.x!,
          norm: t.norm!,
          epsilon: 1e-5,
          weight: t.weight!,
          heads,
          keyValueHeads,
          headDim: keyDim,
          valueDim,
          rotaryDim,
          theta: 10_000,
          query,
          cache: { keys, values, pageSize, width, layout: t.layout! },
        });
        return { query, keys, values };
      },
    };
  }),
);

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
        run: (scope, { query, sinks, keys, values, layout }) => {
          const { pageSize, width, window } = sizes;
          const cache = { keys, values, layout, pageSize, width } as CachedRows;
          const out = scope.empty([rowsOf(sizes), heads * valueDim]);
          scope.device.kernels.cachedAttention({
            ...shape,
            scale: keyDim ** -0.5,
            valueScale: 0.707,
            window,
            query: query!,
            sinks: sinks ?? null,
            cache,
            out,
          });
          return { out };
        },
      };
    }),
  ),
);

const productCases: OpCase[] = [
  { rows: 1, inner: 64, columns: 20 },
  { rows: 3, inner: 37, columns: 9 },
  { rows: 11, inner: 1100, columns: 6 },
].flatMap(({ rows, inner, columns }): OpCase[] => [
  {
    name: `normGatedProduct [${rows},${inner}] to ${columns}`,
    inputs: {
      x: randomTensor(random, [rows, inner]),
      norm: randomTensor(random, [inner]),
      gate: randomTensor(random, [columns, inner], 0.1),
      up: randomTensor(random, [columns, inner], 0.1),
    },
    differentiable: [],
    tolerance: 4e-6,
    run: (scope, { x, norm, gate, up }) => {
      const out = scope.empty([rows, columns]);
      const tensors = { x: x!, norm: norm!, gate: gate!, up: up!, out };
      scope.device.kernels.normGatedProduct({ ...tensors, epsilon: 1e-5 });
      return { out };
    },
  },
  ...[false, true].map(
    (accumulate): OpCase => ({
      name: `matmul of few rows [${rows},${inner}] to ${columns}${accumulate ? ', added' : ''}`,
      inputs: {
        a: randomTensor(random, [rows, inner]),
        b: randomTensor(random, [columns, inner]),
        c: randomTensor(random, [rows, columns]),
      },
      differentiable: [],
      tolerance: 4e-6,
      run: (scope, { a, b, c }) => {
        const out = copyOf(scope, c!);
        const layout = { transposeA: false, transposeB: true, accumulate };
        scope.device.kernels.matmul({ a: a!, b: b!, out, ...layout });
        return { out };
      },
    }),
  ),
]);

const routingCases: OpCase[] = [
  { rows: 1, inner: 64, experts: 8, perToken: 2, groups: 1, selectedGroups: 1, normalize: true },
  { rows: 5, inner: 37, experts: 70, perToken: 4, groups: 7, selectedGroups: 3, normalize: false },
].map(({ rows, inner, experts: count, perToken, ...options }) => ({
  name: `routeTokens [${rows},${inner}] to ${perToken} of ${count}, ${options.groups} groups`,
  inputs: {
    x: randomTensor(random, [rows, inner]),
    norm: randomTensor(random, [inner]),
    router: randomTensor(random, [count, inner], 0.2),
    bias: randomTensor(random, [count], 0.1),
  },
  differentiable: [],
  tolerance: 4e-6,
  run: (scope, { x, norm, router, bias }) => {
    const normed = scope.empty([rows, inner]);
    const experts = scope.empty([rows, perToken], 'i32');
    const weights = scope.empty([rows, perToken]);
    const tensors = { x: x!, norm: norm!, router: router!, bias: bias!, normed, experts, weights };
    scope.device.kernels.routeTokens({ ...tensors, ...options, epsilon: 1e-5, scale: 1.5 });
    return { normed, experts, weights };
  },
}));

/** Each token's experts are different ones. */
function chooseExperts(rows: number, perToken: number, count: number): HostTensor {
  const data = Array.from({ length: rows }, () => {
    const first = random.int(count);
    return Array.from({ length: perToken }, (_, j) => (first + j * j) % count);
  });
  return intTensor([rows, perToken], data.flat());
}

const expertCases: OpCase[] = [
  { rows: 1, perToken: 3, count: 9, inner: 64, columns: 12 },
  { rows: 3, perToken: 3, count: 12, inner: 20, columns: 5 },
  { rows: 5, perToken: 2, count: 4, inner: 37, columns: 9 },
  { rows: 33, perToken: 2, count: 3, inner: 8, columns: 6 },
].flatMap(({ rows, perToken, count, inner, columns }): OpCase[] => [
  {
    name: `expertGatedProduct of ${rows} tokens, ${perToken} of ${count}`,
    inputs: {
      x: randomTensor(random, [rows, inner]),
      experts: chooseExperts(rows, perToken, count),
      gate: randomTensor(random, [count, columns, inner], 0.2),
      up: randomTensor(random, [count, columns, inner], 0.2),
    },
    differentiable: [],
    tolerance: 4e-6,
    run: (scope, { x, experts, gate, up }) => {
      const out = scope.empty([rows * perToken, columns]);
      const tensors = { x: x!, experts: experts!, gate: gate!, up: up!, out };
      scope.device.kernels.expertGatedProduct(tensors);
      return { out };
    },
  },
  {
    name: `addExpertProducts of ${rows} tokens, ${perToken} of ${count}`,
    inputs: {
      x: randomTensor(random, [rows * perToken, inner]),
      experts: chooseExperts(rows, perToken, count),
      weights: randomTensor(random, [rows, perToken]),
      down: randomTensor(random, [count, columns, inner]),
      before: randomTensor(random, [rows, columns]),
    },
    differentiable: [],
    tolerance: 4e-6,
    run: (scope, { x, experts, weights, down, before }) => {
      const out = copyOf(scope, before!);
      const tensors = { x: x!, experts: experts!, weights: weights!, down: down!, out };
      scope.device.kernels.addExpertProducts(tensors);
      return { out };
    },
  },
]);

/** (temperature, topP, topK, minP) of a row each. */
const settings = [
  [0, 1, 0, 0],
  [0, 0.5, 3, 0.5],
  [1, 1, 0, 0],
  [0.7, 1, 5, 0],
  [1.3, 0.6, 0, 0],
  [1, 0, 0, 0],
  [1, 1, 0, 0.2],
  [0.9, 0.8, 12, 0.05],
  [1, 1, 100_000, 0],
  [2, 0.999, 1, 0.9],
];

/** Two sequences of two and one rows, with drafts that are entries, that are none, and that repeat. */
const penaltyCases: OpCase[] = [40, 5000].map((columns) => ({
  name: `penalizeLogits of ${columns}`,
  inputs: {
    logits: randomTensor(random, [4, columns], 3),
    rows: intTensor([4, 3], [0, 1, 0, 0, 1, 3, 1, 5, 1, 2, 0, 0]),
    tokens: intTensor([6], [0, 7, 30, 7, 2, 9]),
    settings: { shape: [3, 3], data: Float32Array.of(1.5, 0.25, 0.5, 1, 0, -0.75, 1, 0, 0) },
    offsets: intTensor([4], [0, 4, 6, 6]),
    columns: intTensor([6], [3, 7, 8, 39, 1, 9]),
    counts: intTensor([6], [2, 0, -1, 5, 1, -1]),
    biases: { shape: [6], data: Float32Array.of(0, 1.5, -100, 0, 0, 3) },
  },
  differentiable: [],
  tolerance: 1e-6,
  run: (scope, { logits, ...t }) => {
    const out = copyOf(scope, logits!);
    scope.device.kernels.penalizeLogits({
      logits: out,
      ...{ rows: t.rows!, tokens: t.tokens!, settings: t.settings! },
      ...{ offsets: t.offsets!, columns: t.columns!, counts: t.counts!, biases: t.biases! },
    });
    return { out };
  },
}));

const maskCases: OpCase[] = [
  { columns: 40, words: 2 },
  { columns: 1000, words: 31 },
].map(({ columns, words }) => ({
  name: `maskLogits of ${columns}, ${32 * words} of them masked`,
  inputs: {
    logits: randomTensor(random, [4, columns], 3),
    masks: intTensor(
      [2, words],
      Array.from({ length: 2 * words }, () => Math.floor(random.next() * 2 ** 32) | 0),
    ),
    rows: intTensor([4], [1, -1, 0, 1]),
  },
  differentiable: [],
  run: (scope, { logits, masks, rows }) => {
    const out = copyOf(scope, logits!);
    scope.device.kernels.maskLogits({ logits: out, masks: masks!, rows: rows! });
    return { out };
  },
}));

const scoreCases: OpCase[] = [
  { columns: 40, vocabSize: 37, top: 5, step: 0 },
  { columns: 40, vocabSize: 40, top: 0, step: 0 },
  // Many equal logits, of which the lower columns come first.
  { columns: 9000, vocabSize: 8999, top: 20, step: 1 },
].map(({ columns, vocabSize, top, step }) => {
  const data = random.floats(3 * columns, 3).map((x) => (step > 0 ? Math.round(x / step) : x));
  return {
    name: `scoreTokens of ${vocabSize}, ${top} most probable`,
    inputs: {
      logits: { shape: [3, columns], data },
      tokens: intTensor([5], [4, 0, 11, 36, 7]),
      places: intTensor([3], [3, 0, 4]),
    },
    differentiable: [],
    tolerance: 4e-6,
    run: (scope, { logits, tokens, places }) => {
      // In one buffer, as a step has them.
      const out = scope.from([192], new Int32Array(192));
      scope.device.kernels.copy({ source: tokens!, out: out.slice(0, 5) });
      const logprobs = scope.empty([3, top + 1]);
      const best = top > 0 ? out.slice(64, 64 + 3 * top).reshape([3, top]) : null;
      const asked = { logits: logits!, tokens: out.slice(0, 5), places: places!, vocabSize };
      scope.device.kernels.scoreTokens({ ...asked, logprobs, top: best });
      return { logprobs, out };
    },
  };
});

const samplingCases: OpCase[] = [
  { columns: 24, vocabSize: 24, step: 0 },
  { columns: 1000, vocabSize: 990, step: 0 },
  // Many equal logits, of which the lower columns come first.
  { columns: 300, vocabSize: 299, step: 0.5 },
  { columns: 20_000, vocabSize: 19_999, step: 0 },
].map(({ columns, vocabSize, step }) => {
  const data = random.floats(settings.length * columns, 3);
  const rounded = data.map((x) => (step > 0 ? Math.round(x / step) * step : x));
  return {
    name: `samplingDistribution of ${vocabSize}${step > 0 ? ', with ties' : ''}`,
    inputs: {
      logits: { shape: [settings.length, columns], data: rounded },
      settings: { shape: [settings.length, 4], data: Float32Array.from(settings.flat()) },
    },
    differentiable: [],
    tolerance: 4e-6,
    run: (scope, t) => {
      const logits = copyOf(scope, t.logits!);
      scope.device.kernels.samplingDistribution({ logits, settings: t.settings!, vocabSize });
      return { logits };
    },
  };
});

/** Rows of probabilities, of which some are 0. */
function distributions(rows: number, columns: number) {
  const data = random.floats(rows * columns).map((x) => Math.max(0, x));
  for (let row = 0; row < rows; row++) {
    const own = data.subarray(row * columns, (row + 1) * columns);
    const total = own.reduce((sum, x) => sum + x, 0);
    own.forEach((x, i) => {
      own[i] = x / total;
    });
  }
  return { shape: [rows, columns], data };
}

const uniforms = (...shape: number[]): HostTensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.next()),
});

const drawCases: OpCase[] = [24, 1000, 40_000].map((columns) => {
  const rows = 6;
  return {
    name: `drawTokens of ${columns}`,
    inputs: {
      probabilities: distributions(rows, columns),
      uniforms: { shape: [rows], data: Float32Array.of(0, 0.1, 0.37, 0.5, 0.9, 0.999) },
      places: intTensor([rows, 2], [3, -1, 0, 8, -1, -1, 1, 2, 4, 5, 6, 7]),
    },
    differentiable: [],
    run: (scope, { probabilities, uniforms, places }) => {
      const out = scope.from([9], new Int32Array(9).fill(-7));
      const tensors = { probabilities: probabilities!, uniforms: uniforms!, places: places!, out };
      scope.device.kernels.drawTokens(tensors);
      return { out };
    },
  };
});

const verifyCases: OpCase[] = [
  { sequences: 4, count: 0, columns: 30 },
  { sequences: 9, count: 3, columns: 30 },
  { sequences: 2, count: 1, columns: 5000 },
].map(({ sequences, count, columns }) => {
  const rows = sequences * (count + 1);
  const targets = distributions(rows, columns);
  const drafts = count > 0 ? distributions(count * sequences, columns) : null;
  const copyRow = (from: number, to: number) => {
    const row = targets.data.subarray(from * columns, (from + 1) * columns);
    drafts?.data.set(row, to * columns);
  };
  // One sequence whose drafts are all kept, since draft and target agree.
  for (let d = 0; d < count; d++) copyRow(d, d * sequences);
  const likely = (row: number) => {
    const own = targets.data.subarray(row * columns, (row + 1) * columns);
    return own.indexOf(own.reduce((most, x) => Math.max(most, x), 0));
  };
  return {
    name: `verifyDrafts: ${count} each of ${sequences} sequences, ${columns} tokens`,
    inputs: {
      targets,
      ...(drafts && { drafts }),
      tokens: intTensor(
        [rows],
        Array.from({ length: rows }, (_, i) => (i % (count + 1) === 0 ? 0 : likely(i - 1))),
      ),
      uniforms: uniforms(sequences, count + 1),
    },
    differentiable: [],
    run: (scope, t) => {
      // Beyond what is said, what was there before.
      const out = scope.from([sequences, count + 2], new Int32Array(sequences * (count + 2)));
      scope.device.kernels.verifyDrafts({
        targets: t.targets!,
        drafts: t.drafts ?? null,
        tokens: t.tokens!,
        uniforms: t.uniforms!,
        out,
      });
      return { out };
    },
  };
});

export const inferenceCases: OpCase[] = [
  ...attentionInputsCases,
  ...cachedAttentionCases,
  ...productCases,
  ...routingCases,
  ...expertCases,
  ...penaltyCases,
  ...maskCases,
  ...scoreCases,
  ...samplingCases,
  ...drawCases,
  ...verifyCases,
];

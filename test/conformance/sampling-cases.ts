/** What is done to logits, and how tokens are drawn from them. */
import { copyOf, type HostTensor, intTensor, type OpCase, randomTensor } from './case.ts';
import { TestRandom } from './random.ts';

const random = new TestRandom(14);

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

const distributionCases: OpCase[] = [
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

/** Distributions of one token or with clear gaps, so that rounding does not decide what is drawn. */
const sampleCases: OpCase[] = [24, 1000, 20_000].map((columns) => {
  const logits = {
    shape: [settings.length, columns],
    data: random.floats(settings.length * columns, 3),
  };
  return {
    name: `sampleTokens of ${columns}`,
    inputs: {
      logits,
      settings: { shape: [settings.length, 4], data: Float32Array.from(settings.flat()) },
      uniforms: uniforms(settings.length),
      places: intTensor(
        [settings.length, 2],
        settings.flatMap((_, i) => [i, i % 3 === 0 ? -1 : settings.length + i]),
      ),
    },
    differentiable: [],
    tolerance: 4e-6,
    run: (scope, t) => {
      const own = copyOf(scope, t.logits!);
      const out = scope.from([2 * settings.length], new Int32Array(2 * settings.length).fill(-7));
      scope.device.kernels.sampleTokens({
        ...{ logits: own, settings: t.settings!, vocabSize: columns - 1 },
        ...{ uniforms: t.uniforms!, places: t.places!, out },
      });
      return { logits: own, out };
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

export const samplingCases: OpCase[] = [
  ...penaltyCases,
  ...maskCases,
  ...scoreCases,
  ...distributionCases,
  ...drawCases,
  ...sampleCases,
  ...verifyCases,
];

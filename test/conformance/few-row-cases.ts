/** Products of few rows with weights: behind a norm, gated, of experts; and the routing to these. */
import { copyOf, type HostTensor, intTensor, type OpCase, randomTensor } from './case.ts';
import { TestRandom } from './random.ts';

const random = new TestRandom(11);

const normProductCases: OpCase[] = [
  { rows: 1, inner: 64, other: 64, columns: 20 },
  { rows: 3, inner: 37, other: 21, columns: 9 },
  { rows: 5, inner: 64, other: 30, columns: 1100 },
  { rows: 130, inner: 20, other: 36, columns: 6 },
].flatMap(({ rows, inner, other, columns }): OpCase[] => {
  const chosen = intTensor(
    [rows],
    Array.from({ length: rows }, (_, i) => (i % 3 === 1 ? -1 : random.int(7))),
  );
  return [
    ...[true, false].map(
      (isGathered): OpCase => ({
        name: `normProduct [${rows},${inner}] to ${columns}${isGathered ? ', of some rows' : ''}`,
        inputs: {
          x: randomTensor(random, [isGathered ? 7 : rows, inner]),
          ...(isGathered && { rows: chosen }),
          norm: randomTensor(random, [inner]),
          weight: randomTensor(random, [columns, inner], 0.1),
        },
        differentiable: [],
        tolerance: 4e-6,
        run: (scope, t) => {
          const out = scope.empty([rows, columns]);
          const tensors = { x: t.x!, rows: t.rows ?? null, norm: t.norm!, weight: t.weight!, out };
          scope.device.kernels.normProduct({ ...tensors, epsilon: 1e-5 });
          return { out };
        },
      }),
    ),
    {
      name: `joinedNormProduct [${rows},${inner}+${other}] to ${columns}`,
      inputs: {
        aTable: randomTensor(random, [9, inner]),
        aRows: intTensor([rows], random.ints(rows, 9)),
        aNorm: randomTensor(random, [inner]),
        bTable: randomTensor(random, [7, other]),
        bRows: chosen,
        bNorm: randomTensor(random, [other]),
        weight: randomTensor(random, [columns, inner + other], 0.1),
      },
      differentiable: [],
      tolerance: 4e-6,
      run: (scope, t) => {
        const out = scope.empty([rows, columns]);
        scope.device.kernels.joinedNormProduct({
          ...{ aTable: t.aTable!, aRows: t.aRows!, aNorm: t.aNorm! },
          ...{ bTable: t.bTable!, bRows: t.bRows!, bNorm: t.bNorm! },
          ...{ epsilon: 1e-5, weight: t.weight!, out },
        });
        return { out };
      },
    },
  ];
});

const productCases: OpCase[] = [
  { rows: 1, inner: 64, columns: 20 },
  { rows: 3, inner: 37, columns: 9 },
  { rows: 11, inner: 1100, columns: 6 },
].flatMap(({ rows, inner, columns }): OpCase[] => [
  normGatedCase(rows, inner, columns),
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

export function normGatedCase(rows: number, inner: number, columns: number): OpCase {
  return {
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
  };
}

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

const routedExpertCases: OpCase[] = [
  { rows: 1, inner: 64, experts: 8, perToken: 2, groups: 1, selectedGroups: 1, normalize: true },
  { rows: 3, inner: 37, experts: 70, perToken: 4, groups: 7, selectedGroups: 3, normalize: false },
  // So many tokens that not every workgroup routes its own.
  {
    rows: 300,
    inner: 64,
    experts: 200,
    perToken: 4,
    groups: 1,
    selectedGroups: 1,
    normalize: true,
  },
].flatMap(({ rows, experts, ...sizes }) =>
  [true, false].map((keepsNormed) =>
    routedExpertsCase({ rows, count: experts, columns: 19, keepsNormed, ...sizes }),
  ),
);

/** Added to the rows themselves, as in a layer; without `keepsNormed`, these are all that is wanted. */
export function routedExpertsCase({
  rows,
  inner,
  count,
  columns,
  perToken,
  keepsNormed,
  ...options
}: {
  rows: number;
  inner: number;
  count: number;
  columns: number;
  perToken: number;
  groups: number;
  selectedGroups: number;
  normalize: boolean;
  keepsNormed: boolean;
}): OpCase {
  return {
    name: `addRoutedExperts [${rows},${inner}] to ${perToken} of ${count}${keepsNormed ? ', rows kept' : ''}`,
    inputs: {
      x: randomTensor(random, [rows, inner]),
      norm: randomTensor(random, [inner]),
      router: randomTensor(random, [count, inner], 0.2),
      bias: randomTensor(random, [count], 0.1),
      gate: randomTensor(random, [count, columns, inner], 0.2),
      up: randomTensor(random, [count, columns, inner], 0.2),
      down: randomTensor(random, [count, inner, columns], 0.2),
    },
    differentiable: [],
    tolerance: 4e-6,
    run: (scope, t) => {
      const out = copyOf(scope, t.x!);
      const normed = keepsNormed ? scope.empty([rows, inner]) : null;
      const experts = scope.empty([rows, perToken], 'i32');
      const weights = scope.empty([rows, perToken]);
      scope.device.kernels.addRoutedExperts({
        ...{ x: out, norm: t.norm!, router: t.router!, bias: t.bias!, normed, experts, weights },
        ...{ gate: t.gate!, up: t.up!, down: t.down!, out, ...options, epsilon: 1e-5, scale: 1.5 },
      });
      return { ...(normed && { normed }), experts, weights, out };
    },
  };
}

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

export const fewRowCases: OpCase[] = [
  ...normProductCases,
  ...productCases,
  ...routingCases,
  ...routedExpertCases,
  ...expertCases,
];

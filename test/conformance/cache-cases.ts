/** Caches of f16 and i8: what is written and read back, and attention to them in steps and in prompts. */
import type { CacheType } from '../../src/tensor/cache-type.ts';
import type { Scope } from '../../src/tensor/scope.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import {
  type CacheSizes,
  cacheRowOf,
  emptyCache,
  type Heads,
  layoutOf,
  rowsOf,
  sequencesOf,
  tableOf,
  withDrafts,
} from './cached-rows.ts';
import { copyOf, intTensor, type OpCase, randomTensor } from './case.ts';
import { roundedToBytes } from './quantized-weights.ts';
import { TestRandom } from './random.ts';

const random = new TestRandom(10);

const sizes: CacheSizes[] = [
  { name: 'the first row', positions: [[0]], pageSize: 32, width: 1, window: null },
  { name: 'a ring', positions: [[57, 58]], pageSize: 24, width: 1, window: 16 },
  { name: 'several', positions: [[7, 8], [0, 1, 2], [29]], pageSize: 8, width: 4, window: null },
  { name: 'a long past', positions: [[1290, 1291]], pageSize: 64, width: 24, window: null },
  withDrafts(129, null),
];

const shapes: Heads[] = [
  { heads: 4, keyValueHeads: 2, keyDim: 24, valueDim: 16 },
  { heads: 3, keyValueHeads: 1, keyDim: 16, valueDim: 8 },
];

/** Rows of positions that are in the caches: up to the last of each sequence, or before its first. */
function heldRows(of: CacheSizes, until: 'last' | 'first') {
  const held = of.positions.flatMap((own, s) => {
    const end = until === 'last' ? own.at(-1)! + 1 : own[0]!;
    const begin = Math.max(0, end - of.width * of.pageSize);
    return Array.from({ length: end - begin }, (_, i) => cacheRowOf(of, s, begin + i));
  });
  return held.length > 0 ? held : [0];
}

function sourceRows(rows: number[], { keyValueHeads, keyDim, valueDim }: Heads) {
  return {
    key: randomTensor(random, [rows.length, keyValueHeads * keyDim]),
    value: randomTensor(random, [rows.length, keyValueHeads * valueDim]),
    indices: intTensor([rows.length], rows),
  };
}

/** Caches of zeros, into which rows are written. */
function filled(scope: Scope, type: CacheType, of: CacheSizes, heads: Heads, t: Tensors) {
  const rows = of.positions.length * of.width * of.pageSize;
  const { keyValueHeads, keyDim, valueDim } = heads;
  const keys = emptyCache(scope, type, [rows, keyValueHeads, keyDim]);
  const values = emptyCache(scope, type, [rows, keyValueHeads, valueDim]);
  const source = { key: t.key!, value: t.value!, indices: t.indices! };
  scope.device.kernels.writeCachedRows({ ...source, keyValueHeads, keys, values });
  return { keys, values };
}

type Tensors = Record<string, Tensor>;

const successive = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => from + i);

/** Rows of prompts, of which the positions before are held: few, many, and in rings. */
const prompts: CacheSizes[] = [
  { name: 'few rows', positions: [[70, 71], [3]], pageSize: 32, width: 4, window: null },
  {
    ...{ name: 'many rows', positions: [successive(33, 40), successive(0, 9)] },
    ...{ pageSize: 16, width: 5, window: null },
  },
  { name: 'a ring', positions: [successive(50, 37)], pageSize: 28, width: 1, window: 20 },
];

export function cacheCases(type: 'f16' | 'i8'): OpCase[] {
  const tolerance = type === 'f16' ? 1e-5 : roundedToBytes;
  const stepped = sizes.flatMap((of) =>
    shapes.flatMap((heads): OpCase[] => {
      const rows = rowsOf(of);
      const inputs = {
        query: randomTensor(random, [rows, heads.heads * heads.keyDim]),
        sinks: randomTensor(random, [heads.heads]),
        layout: layoutOf(of),
        ...sourceRows(heldRows(of, 'last'), heads),
      };
      const form = { ...heads, scale: heads.keyDim ** -0.5, valueScale: 0.7, window: of.window };
      const name = `${of.name}, ${heads.heads} heads of ${heads.keyDim}`;
      return [
        {
          name: `cachedAttention: ${name}`,
          inputs,
          differentiable: [],
          tolerance,
          run: (scope, t) => {
            const out = scope.empty([rows, heads.heads * heads.valueDim]);
            const cache = { ...filled(scope, type, of, heads, t), layout: t.layout! };
            const { pageSize, width } = of;
            scope.device.kernels.cachedAttention({
              ...{ ...form, query: t.query!, sinks: t.sinks!, out },
              cache: { ...cache, pageSize, width },
            });
            return { out };
          },
        },
        {
          name: `addAttention: ${name}`,
          inputs: {
            ...inputs,
            weight: randomTensor(random, [13, heads.heads * heads.valueDim], 0.3),
            before: randomTensor(random, [rows, 13]),
          },
          differentiable: [],
          tolerance,
          run: (scope, t) => {
            const out = copyOf(scope, t.before!);
            const cache = { ...filled(scope, type, of, heads, t), layout: t.layout! };
            const { pageSize, width } = of;
            scope.device.kernels.addAttention({
              ...{ ...form, query: t.query!, sinks: t.sinks!, weight: t.weight!, out },
              cache: { ...cache, pageSize, width },
            });
            return { out };
          },
        },
        {
          name: `attentionInputs: ${name}`,
          inputs: {
            ...inputs,
            x: randomTensor(random, [rows, 40]),
            norm: randomTensor(random, [40]),
            weight: randomTensor(
              random,
              [
                (heads.heads + heads.keyValueHeads) * heads.keyDim +
                  heads.keyValueHeads * heads.valueDim,
                40,
              ],
              0.1,
            ),
          },
          differentiable: [],
          tolerance: type === 'f16' ? 1e-3 : tolerance,
          run: (scope, t) => {
            const { heads: count, keyValueHeads, keyDim, valueDim } = heads;
            const query = scope.empty([rows, count * keyDim]);
            const out = scope.empty([rows, count * valueDim]);
            const cache = {
              ...{ ...filled(scope, type, of, heads, t), layout: t.layout! },
              ...{ pageSize: of.pageSize, width: of.width },
            };
            const { kernels } = scope.device;
            kernels.attentionInputs({
              ...{ x: t.x!, norm: t.norm!, epsilon: 1e-5, weight: t.weight!, query, cache },
              ...{ heads: count, keyValueHeads, headDim: keyDim, valueDim },
              ...{ rotaryDim: 8, theta: 10_000 },
            });
            kernels.cachedAttention({ ...form, query, sinks: null, cache, out });
            return { query, out };
          },
        },
      ];
    }),
  );

  const prompted = prompts.flatMap((of) =>
    shapes.map((heads): OpCase => {
      const { heads: count, keyValueHeads, keyDim, valueDim } = heads;
      const rows = rowsOf(of);
      let first = 0;
      const starts = of.positions.flatMap((own) => {
        const begin = first;
        first += own.length;
        return own.map(() => begin);
      });
      const past = sourceRows(heldRows(of, 'first'), heads);
      return {
        name: `attention with a past: ${of.name}, ${count} heads of ${keyDim}`,
        inputs: {
          ...past,
          query: randomTensor(random, [rows, count * keyDim]),
          ownKey: randomTensor(random, [rows, keyValueHeads * keyDim]),
          ownValue: randomTensor(random, [rows, keyValueHeads * valueDim]),
          rowStart: intTensor([rows], starts),
          table: intTensor([of.positions.length, of.width], tableOf(of)),
          lengths: intTensor(
            [of.positions.length],
            of.positions.map(([position]) => position!),
          ),
          sequence: intTensor([rows], sequencesOf(of)),
        },
        differentiable: [],
        tolerance,
        run: (scope, t) => {
          const out = scope.empty([rows, count * valueDim]);
          const logSumExp = scope.empty([rows, count]);
          scope.device.kernels.attention({
            ...{ ...heads, scale: keyDim ** -0.5, valueScale: 0.7, window: of.window },
            ...{ query: t.query!, key: t.ownKey!, value: t.ownValue!, sinks: null },
            rowStart: t.rowStart!,
            past: {
              ...filled(scope, type, of, heads, t),
              ...{ pageSize: of.pageSize, table: t.table! },
              ...{ lengths: t.lengths!, sequence: t.sequence! },
            },
            ...{ out, logSumExp },
          });
          return { out, logSumExp };
        },
      };
    }),
  );

  // Halves are exact: what a prompt attends to must be what its cache holds.
  const rounded: OpCase[] = [40, 2 ** -13, 30_000].map((size) => ({
    name: `roundToCache of numbers about ${size}`,
    inputs: { x: randomTensor(random, [7, 3 * 16], size) },
    differentiable: [],
    tolerance: type === 'f16' ? 0 : roundedToBytes,
    run: (scope, { x }) => {
      const out = copyOf(scope, x!);
      scope.device.kernels.roundToCache({ x: out, heads: 3, type });
      return { out };
    },
  }));
  return [...stepped, ...prompted, ...rounded].map((opCase) => ({
    ...opCase,
    name: `cache of ${type}: ${opCase.name}`,
  }));
}

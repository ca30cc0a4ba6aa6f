/** The calls of inference that stand for several, with quantised weights. */
import type { QuantizedBits } from '../../src/tensor/quantized-matrix.ts';
import { copyOf, intTensor, type OpCase, randomTensor } from './case.ts';
import { manyRows } from './many-row-cases.ts';
import { roundedToBytes, weightsOf } from './quantized-weights.ts';
import { TestRandom } from './random.ts';

const random = new TestRandom(8);
const epsilon = 1e-5;

/** A head's sizes and a cache of 2 pages of 4 rows, in which positions 0 to 6 of a sequence are. */
const heads = { heads: 8, keyValueHeads: 2 };
const cached = (keyDim: number, valueDim: number) => ({
  keys: randomTensor(random, [8, 2 * keyDim]),
  values: randomTensor(random, [8, 2 * valueDim]),
});
const layoutOf = (rows: number) =>
  intTensor(
    [2 * rows + 2],
    [...Array.from({ length: rows }, (_, i) => 7 - rows + i), ...Array(rows).fill(0), 1, 0],
  );

export function quantizedFusedCases(bits: QuantizedBits): OpCase[] {
  const embedded: OpCase[] = [1, 3].map((rows) => {
    const columns = 8 * 16 + 2 * 16 + 2 * 8;
    const [table, weight] = [
      randomTensor(random, [12, 128]),
      randomTensor(random, [columns, 128], 0.1),
    ];
    return {
      name: `embedAttentionInputs of ${rows}`,
      inputs: {
        tokens: intTensor([rows], [5, 0, 11].slice(0, rows)),
        norm: randomTensor(random, [128]),
        layout: layoutOf(rows),
        ...cached(16, 8),
      },
      differentiable: [],
      tolerance: roundedToBytes,
      run: (scope, t) => {
        const [x, query] = [scope.empty([rows, 128]), scope.empty([rows, 128])];
        const [keys, values] = [copyOf(scope, t.keys!), copyOf(scope, t.values!)];
        scope.device.kernels.embedAttentionInputs({
          ...{ table: weightsOf(scope, bits, table), tokens: t.tokens!, x, norm: t.norm!, epsilon },
          ...{ weight: weightsOf(scope, bits, weight), ...heads, headDim: 16, valueDim: 8 },
          ...{ rotaryDim: 6, theta: 10_000, query },
          cache: { keys, values, pageSize: 4, width: 2, layout: t.layout! },
        });
        return { x, query, keys, values };
      },
    };
  });

  const attention: OpCase[] = [1, 5].map((rows) => {
    const weight = randomTensor(random, [20, 128], 0.3);
    return {
      name: `addAttention of ${rows}`,
      inputs: {
        query: randomTensor(random, [rows, 8 * 24]),
        sinks: randomTensor(random, [8]),
        before: randomTensor(random, [rows, 20]),
        layout: layoutOf(rows),
        ...cached(24, 16),
      },
      differentiable: [],
      tolerance: roundedToBytes,
      run: (scope, { query, sinks, keys, values, layout, before }) => {
        const out = copyOf(scope, before!);
        scope.device.kernels.addAttention({
          ...{ ...heads, keyDim: 24, valueDim: 16, scale: 24 ** -0.5, valueScale: 0.707 },
          ...{ window: null, query: query!, sinks: sinks!, out },
          cache: { keys: keys!, values: values!, pageSize: 4, width: 2, layout: layout! },
          weight: weightsOf(scope, bits, weight),
        });
        return { out };
      },
    };
  });

  const routed: OpCase[] = [1, 200, manyRows].map((rows) => {
    const [gate, up] = [0, 1].map(() => randomTensor(random, [6, 128, 128], 0.2));
    const down = randomTensor(random, [6, 128, 128], 0.2);
    return {
      name: `addRoutedExperts of ${rows}`,
      inputs: {
        x: randomTensor(random, [rows, 128]),
        norm: randomTensor(random, [128]),
        router: randomTensor(random, [6, 128], 0.2),
        bias: randomTensor(random, [6], 0.1),
      },
      differentiable: [],
      tolerance: roundedToBytes,
      run: (scope, t) => {
        const experts = scope.empty([rows, 2], 'i32');
        const weights = scope.empty([rows, 2]);
        const out = copyOf(scope, t.x!);
        scope.device.kernels.addRoutedExperts({
          ...{ x: out, norm: t.norm!, epsilon, router: t.router!, bias: t.bias!, out },
          ...{ groups: 1, selectedGroups: 1, normalize: true, scale: 1 },
          ...{ normed: null, experts, weights, down: weightsOf(scope, bits, down) },
          ...{ gate: weightsOf(scope, bits, gate!), up: weightsOf(scope, bits, up!) },
        });
        return { experts, weights, out };
      },
    };
  });

  const normed: OpCase[] = [1, 3, 140].flatMap((rows): OpCase[] => {
    const weight = randomTensor(random, [20, 128], 0.1);
    const [table, joined] = [
      randomTensor(random, [8, 64]),
      randomTensor(random, [1028, 192 + 64], 0.1),
    ];
    const wide = randomTensor(random, [8, 192 + 64]);
    const chosen = intTensor(
      [rows],
      Array.from({ length: rows }, (_, i) => (i % 3 === 1 ? -1 : i % 7)),
    );
    const looked = intTensor(
      [rows],
      Array.from({ length: rows }, (_, i) => i % 8),
    );
    return [
      {
        name: `normProduct of ${rows}`,
        inputs: {
          x: randomTensor(random, [7, 128]),
          rows: chosen,
          norm: randomTensor(random, [128]),
        },
        differentiable: [],
        tolerance: roundedToBytes,
        run: (scope, t) => {
          const out = scope.empty([rows, 20]);
          scope.device.kernels.normProduct({
            ...{ x: t.x!, rows: t.rows!, norm: t.norm!, epsilon, out },
            weight: weightsOf(scope, bits, weight),
          });
          return { out };
        },
      },
      ...[false, true].map(
        (withTable): OpCase => ({
          name: `joinedNormProduct of ${rows}, table ${withTable ? 'quantised' : 'in f32'}`,
          inputs: {
            aTable: withTable ? wide : table,
            aRows: looked,
            aNorm: randomTensor(random, [withTable ? 256 : 64]),
            bTable: randomTensor(random, [7, withTable ? 128 : 192]),
            bRows: chosen,
            bNorm: randomTensor(random, [withTable ? 128 : 192]),
          },
          differentiable: [],
          tolerance: roundedToBytes,
          run: (scope, t) => {
            const out = scope.empty([rows, withTable ? 20 : 1028]);
            const large = randomTensor(new TestRandom(9), [20, 384], 0.1);
            scope.device.kernels.joinedNormProduct({
              aTable: withTable ? weightsOf(scope, bits, wide) : t.aTable!,
              ...{ aRows: t.aRows!, aNorm: t.aNorm!, bTable: t.bTable!, bRows: t.bRows! },
              ...{ bNorm: t.bNorm!, epsilon, out },
              weight: weightsOf(scope, bits, withTable ? large : joined),
            });
            return { out };
          },
        }),
      ),
    ];
  });

  return [...embedded, ...attention, ...routed, ...normed];
}

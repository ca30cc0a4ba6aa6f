import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  intTensor,
  type OpCase,
  randomTensor,
  rowStarts,
} from '../../../../test/conformance/case.ts';
import { TestRandom } from '../../../../test/conformance/random.ts';
import { type Results, runCase } from '../../../../test/conformance/run-case.ts';
import type { Device } from '../../../tensor/device.ts';
import * as ops from '../../../tensor/ops/index.ts';
import { createReferenceDevice } from '../../reference/device.ts';
import { createWasmDevice } from '../device.ts';

/**
 * Inputs large enough that work is cut into many items, as those of the conformance suite are not:
 * results must be near the reference and must not depend on the number of threads in a single bit.
 */
const random = new TestRandom(5);

function attentionCase(
  documents: number[],
  [heads, keyValueHeads, keyDim, valueDim]: [number, number, number, number],
  window: number | null,
): OpCase {
  const rows = documents.reduce((a, b) => a + b, 0);
  return {
    name: `attention over documents of ${documents}, ${heads} heads, window ${window}`,
    inputs: {
      query: randomTensor(random, [rows, heads * keyDim], 2),
      key: randomTensor(random, [rows, keyValueHeads * keyDim]),
      value: randomTensor(random, [rows, keyValueHeads * valueDim]),
      sinks: randomTensor(random, [heads]),
      rowStart: intTensor([rows], rowStarts(documents)),
    },
    differentiable: ['query', 'key', 'value', 'sinks'],
    run: (scope, { query, key, value, sinks, rowStart }) => {
      const rest = { sinks: sinks!, rowStart: rowStart!, past: null };
      const shape = { heads, keyValueHeads, keyDim, valueDim, window, valueScale: 0.7 };
      const inputs = { query: query!, key: key!, value: value!, ...rest };
      return { out: ops.attention(scope, inputs, { ...shape, scale: keyDim ** -0.5 }) };
    },
    tolerance: 4e-6,
  };
}

/** Decoding and chunked prefill over a past so long that its keys are split into parts. */
function pastCase(past: number[], rows: number, window: number | null): OpCase {
  const [heads, keyValueHeads, keyDim, valueDim, pageSize] = [4, 2, 10, 6, 32];
  const total = past.length * rows;
  const width = Math.ceil(Math.max(...past) / pageSize);
  const cacheRows = past.length * width * pageSize;
  return {
    name: `attention of ${rows} rows over pasts of ${past}, window ${window}`,
    inputs: {
      query: randomTensor(random, [total, heads * keyDim], 3),
      key: randomTensor(random, [total, keyValueHeads * keyDim]),
      value: randomTensor(random, [total, keyValueHeads * valueDim]),
      sinks: randomTensor(random, [heads]),
      rowStart: intTensor([total], rowStarts(past.map(() => rows))),
      keys: randomTensor(random, [cacheRows, keyValueHeads * keyDim]),
      values: randomTensor(random, [cacheRows, keyValueHeads * valueDim]),
      table: intTensor(
        [past.length, width],
        Array.from({ length: past.length * width }, (_, i) => past.length * width - 1 - i),
      ),
      lengths: intTensor([past.length], past),
      sequence: intTensor(
        [total],
        past.flatMap((_, s) => Array(rows).fill(s)),
      ),
    },
    differentiable: [],
    run: (scope, t) => {
      const out = scope.empty([total, heads * valueDim]);
      const logSumExp = scope.empty([total, heads]);
      const { keys, values, table, lengths, sequence } = t as Required<typeof t>;
      scope.device.kernels.attention({
        ...{ query: t.query!, key: t.key!, value: t.value!, sinks: t.sinks! },
        rowStart: t.rowStart!,
        past: {
          ...{ keys: keys!, values: values!, pageSize, table: table! },
          ...{ lengths: lengths!, sequence: sequence! },
        },
        ...{ heads, keyValueHeads, keyDim, valueDim, window, scale: 0.3, valueScale: 1 },
        ...{ out, logSumExp },
      });
      return { out, logSumExp };
    },
    tolerance: 4e-6,
  };
}

const tokens = 1500;
const experts = 24;
const perToken = 3;

const cases: OpCase[] = [
  attentionCase([700], [4, 2, 20, 12], null),
  attentionCase([600, 50, 3, 120], [3, 1, 16, 8], 100),
  attentionCase([1, 2, 400, 1], [2, 2, 9, 17], null),
  pastCase([5000], 1, null),
  pastCase([2047, 2048, 10], 2, null),
  pastCase([3000], 40, null),
  pastCase([4000, 300], 3, 2500),
  {
    name: 'rmsNorm',
    inputs: { x: randomTensor(random, [1000, 70]), weight: randomTensor(random, [70]) },
    differentiable: ['x', 'weight'],
    run: (scope, { x, weight }) => ({ out: ops.rmsNorm(scope, x!, weight!, 1e-5) }),
  },
  {
    name: 'swiglu',
    inputs: { gate: randomTensor(random, [300, 111], 9), up: randomTensor(random, [300, 111]) },
    differentiable: ['gate', 'up'],
    run: (scope, { gate, up }) => ({ out: ops.swiglu(scope, gate!, up!) }),
  },
  {
    name: 'embedding',
    inputs: {
      table: randomTensor(random, [40, 90]),
      indices: intTensor(
        [3000],
        random.ints(3000, 41).map((i) => i - 1),
      ),
    },
    differentiable: ['table'],
    run: (scope, { table, indices }) => ({ out: ops.gatherRows(scope, table!, indices!) }),
  },
  {
    name: 'rotary',
    inputs: {
      x: randomTensor(random, [800, 4 * 26]),
      positions: intTensor(
        [800],
        Int32Array.from({ length: 800 }, (_, t) => (t * 37) % 500),
      ),
    },
    differentiable: ['x'],
    run: (scope, { x, positions }) => {
      const options = { headDim: 26, rotaryDim: 22, theta: 1e4 };
      return { out: ops.rotary(scope, x!, positions!, options) };
    },
  },
  {
    name: 'experts',
    inputs: {
      logits: randomTensor(random, [tokens, experts], 2),
      bias: randomTensor(random, [experts], 0.2),
      x: randomTensor(random, [tokens, 33]),
      gate: randomTensor(random, [experts, 20, 33], 0.2),
      up: randomTensor(random, [experts, 20, 33], 0.2),
      rowStart: intTensor([tokens], rowStarts([700, 1, 300, 499])),
    },
    differentiable: ['logits', 'x', 'gate', 'up'],
    run: (scope, { logits, bias, x, gate, up, rowStart }) => {
      const sizes = { perToken, groups: 4, selectedGroups: 2 };
      const chosen = ops.selectExperts(scope, logits!, bias!, sizes);
      const options = { normalize: true, scale: 1.5 };
      const weights = ops.expertWeights(scope, logits!, chosen, options);
      const groups = ops.groupByExpert(scope, chosen, experts);
      const rows = ops.groupedSwiglu(scope, x!, gate!, up!, groups);
      const loss = ops.balanceLoss(scope, logits!, chosen, rowStart!, 0.1);
      return { out: ops.combineRows(scope, rows, weights, groups), chosen, loss, ...groups };
    },
    outputs: ['out'],
  },
];

describe('large inputs', () => {
  const reference = createReferenceDevice();
  let devices: Device[];
  beforeAll(async () => {
    devices = await Promise.all([1, 2, 3].map((threads) => createWasmDevice({ threads })));
  });
  afterAll(() => Promise.all(devices.map((device) => device.destroy())));

  test.each(cases.map((opCase) => ({ opCase, name: opCase.name })))('$name', async ({ opCase }) => {
    const expected = await runCase(reference, opCase);
    const results: Results[] = [];
    for (const device of devices) results.push(await runCase(device, opCase));
    for (const [name, values] of Object.entries(expected)) {
      expectNear(results[0]![name]!, values, opCase.tolerance ?? 2e-6, name);
      expect(results[1]![name], `${name} on 2 threads`).toEqual(results[0]![name]);
      expect(results[2]![name], `${name} on 3 threads`).toEqual(results[0]![name]);
    }
  });
});

function expectNear(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  name: string,
): void {
  let [largest, error] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    error = Math.max(error, Math.abs(actual[i]! - expected[i]!));
  }
  expect(error / largest, `largest error of ${name}`).toBeLessThanOrEqual(tolerance);
}

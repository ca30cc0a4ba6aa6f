/**
 * Cases for devices that round operands to f16 and sum in f32: sizes that matrix units take, with and
 * without a rest. An operand is off by at most 2⁻¹¹ of itself, and in sums of many products most of that
 * cancels.
 */
import { intTensor, type OpCase } from './case.ts';
import { type PastSizes, pastCase } from './kernel-cases.ts';
import { manyRowCasesOf } from './many-row-cases.ts';
import {
  type AttentionSizes,
  attentionCase,
  expertLayerCase,
  groupedCase,
  linearCase,
  residualCase,
} from './op-cases.ts';

const products: OpCase[] = [
  ...(
    [
      [128, 64, 256],
      [300, 516, 140],
      [16, 40, 16],
      [130, 4100, 68],
    ] as [number, number, number][]
  ).map(linearCase),
  groupedCase([200, 0, 5, 131], 72, 132),
  groupedCase([64, 64, 0], 64, 48),
  residualCase(150, 132),
  expertLayerCase('on units', {
    ...{ tokens: 190, count: 5, columns: 72, inner: 100, withResidual: true },
    experts: intTensor(
      [190, 2],
      Array.from({ length: 380 }, (_, slot) => (slot % 2 === 0 ? 0 : 1 + ((slot * 7) % 3))),
    ),
  }),
];

const heads: Omit<AttentionSizes, 'window' | 'sinks'>[] = [
  {
    ...{ name: 'heads of 96 and 64', documents: [150, 1, 90], heads: 8, keyValueHeads: 2 },
    ...{ keyDim: 96, valueDim: 64 },
  },
  {
    ...{ name: 'three heads a key', documents: [70, 60], heads: 6, keyValueHeads: 2 },
    ...{ keyDim: 32, valueDim: 16 },
  },
];

const attention: OpCase[] = heads.flatMap((sizes) =>
  [
    { window: null, sinks: false },
    { window: 24, sinks: true },
    { window: 1, sinks: false },
  ].map((kind) => attentionCase({ ...sizes, ...kind })),
);

/**
 * Scores that rise along the keys, by far more than one block of weights may hold. Gradients are left
 * out: those of the queries are small differences of slopes times large keys.
 */
const rising = {
  ...attentionCase({
    ...{ name: 'with rising scores', documents: [300], heads: 2, keyValueHeads: 1 },
    ...{ keyDim: 16, valueDim: 32, window: null, sinks: true },
  }),
  differentiable: [],
};
for (const input of ['query', 'key']) {
  const { shape, data } = rising.inputs[input]!;
  data.forEach((value, i) => {
    const [row, column] = [Math.floor(i / shape[1]!), i % 16];
    data[i] = column === 0 ? (input === 'key' ? row / 4 : 4) : value;
  });
}

const pasts: PastSizes[] = [
  {
    ...{ name: 'long', sequences: [{ past: 300, rows: 90 }], pageSize: 512, width: 1 },
    window: null,
  },
  {
    name: 'several sequences',
    sequences: [
      { past: 70, rows: 30 },
      { past: 0, rows: 40 },
      { past: 133, rows: 9 },
    ],
    ...{ pageSize: 16, width: 12, window: null },
  },
  {
    name: 'rings',
    sequences: [
      { past: 70, rows: 40 },
      { past: 33, rows: 20 },
    ],
    ...{ pageSize: 16, width: 3, window: 40 },
  },
];

const past: OpCase[] = pasts.map((sizes, i) => pastCase(sizes, i > 0, [8, 2, 48, 32]));

const steps: OpCase[] = manyRowCasesOf({
  shape: { heads: 4, keyValueHeads: 2, keyDim: 24, valueDim: 16 },
  ...{ inner: 64, rotaryDim: 8, columns: 48 },
});

export const mixedCases: OpCase[] = [...products, ...attention, rising, ...past, ...steps].map(
  (opCase) => ({ ...opCase, tolerance: 2e-3 }),
);

/**
 * The kernels of steps with so many rows that a device may go about them as about a prompt: 320 sequences
 * and more, with three drafts each.
 */
import { type Heads, withDrafts } from './cached-rows.ts';
import { copyOf, type HostTensor, intTensor, type OpCase, randomTensor } from './case.ts';
import { normGatedCase, routedExpertsCase } from './few-row-cases.ts';
import { TestRandom } from './random.ts';
import { addAttentionCase, attentionInputsCase, embedCase } from './step-attention-cases.ts';

const random = new TestRandom(12);

/** From here on the webgpu device always does. */
export const manyRows = 1280;

interface Sizes {
  shape: Heads;
  inner: number;
  rotaryDim: number;
  /** Of the experts' feed-forward, and of a dense one. */
  columns: number;
}

/** Each token's experts, by a rule that leaves one of the experts without rows. */
const choices: Record<
  string,
  { count: number; perToken: number; choose: (t: number) => number[] }
> = {
  'one without rows': {
    ...{ count: 5, perToken: 2 },
    choose: (t) =>
      [
        [0, 3],
        [4, 1],
        [3, 4],
        [1, 0],
      ][(t * 7) % 4]!,
  },
  'all rows with one': { count: 3, perToken: 1, choose: () => [1] },
};

export function expertsCase(
  { inner, columns }: Sizes,
  rows: number,
  of: keyof typeof choices,
): OpCase {
  const { count, perToken, choose } = choices[of]!;
  const chosen: HostTensor = intTensor(
    [rows, perToken],
    Array.from({ length: rows }, (_, t) => choose(t)).flat(),
  );
  return {
    name: `addExperts [${rows},${inner}], ${of}`,
    inputs: {
      x: randomTensor(random, [rows, inner]),
      experts: chosen,
      weights: randomTensor(random, [rows, perToken]),
      gate: randomTensor(random, [count, columns, inner], inner ** -0.5),
      up: randomTensor(random, [count, columns, inner], inner ** -0.5),
      down: randomTensor(random, [count, inner, columns], columns ** -0.5),
      before: randomTensor(random, [rows, inner]),
    },
    differentiable: [],
    tolerance: 4e-6,
    run: (scope, t) => {
      const out = copyOf(scope, t.before!);
      scope.device.kernels.addExperts({
        ...{ x: t.x!, experts: t.experts!, weights: t.weights! },
        ...{ gate: t.gate!, up: t.up!, down: t.down!, out },
      });
      return { out };
    },
  };
}

/** Of one model. */
export function manyRowCasesOf(sizes: Sizes): OpCase[] {
  const { shape, inner, rotaryDim, columns } = sizes;
  const sequences = manyRows / 4 + 1;
  const rows = 4 * sequences;
  const routing = { ...{ groups: 1, selectedGroups: 1 }, normalize: true };
  const [all, ring] = [withDrafts(sequences, null), withDrafts(sequences, 6)];
  return [
    attentionInputsCase({ sizes: all, shape, inner, rotaryDim }),
    attentionInputsCase({ sizes: all, shape, inner, rotaryDim, queries: sequences }),
    embedCase({ sizes: all, inner }),
    addAttentionCase({ sizes: all, shape, columns: inner, withSinks: false }),
    addAttentionCase({ sizes: ring, shape, columns: inner, withSinks: true }),
    normGatedCase(rows, inner, columns),
    ...Object.keys(choices).map((of) => expertsCase(sizes, rows, of)),
    ...[true, false].map((keepsNormed) =>
      routedExpertsCase({
        ...{ rows, inner, count: 6, columns, perToken: 2, keepsNormed, ...routing },
      }),
    ),
  ];
}

export const manyRowCases: OpCase[] = [
  {
    shape: { heads: 4, keyValueHeads: 2, keyDim: 12, valueDim: 8 },
    ...{ inner: 64, rotaryDim: 6, columns: 20 },
  },
  {
    shape: { heads: 3, keyValueHeads: 1, keyDim: 10, valueDim: 5 },
    ...{ inner: 37, rotaryDim: 0, columns: 9 },
  },
].flatMap(manyRowCasesOf);

/** What attention begins with, of few rows: norm, products, rotation and the way to the cache in one dispatch. */
import type { FusedKernels } from '../../../../tensor/fused-kernels.ts';
import type { InferenceKernels } from '../../../../tensor/inference-kernels.ts';
import type { Matrix } from '../../../../tensor/quantized-matrix.ts';
import { Tensor } from '../../../../tensor/tensor.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { bitsOf, memoryOf, type WeightBits } from '../quantized-weights.ts';
import {
  keepPair,
  locatePair,
  type PairOptions,
  pairBindings,
  pairHead,
  pairParameters,
  pairsOf,
  pairsOfCall,
} from './attention-pairs.ts';
import {
  beginWeights,
  innerElement,
  innerUnits,
  lanesFor,
  ofLane,
  type Products,
  productMemory,
  rowsPerThread,
  sumProducts,
  weightElement,
} from './products.ts';

const threads = 128;

interface Options extends PairOptions {
  rowsPerThread: number;
  inner: number;
  epsilon: number;
  /** Whether x is taken from a table, and kept. */
  embedded: boolean;
  subgroupSize: number;
  bits: WeightBits;
}

/** The lanes of a pair take its two products, for several rows; then each lane finishes one row. */
const attentionInputs = programs((options: Options) => {
  const { inner, epsilon, embedded, subgroupSize, bits } = options;
  const lanes = lanesFor(inner, bits);
  const rows = options.rowsPerThread;
  const product: Products = {
    ...{ rows, columns: 2, inner, normed: true, bits },
    ...{ lanes, threads, subgroupSize },
  };
  const { columns, count } = pairsOf(options);
  const units = innerUnits(inner);
  const keepRows = /* wgsl */ `
  for (var i = group.x * threads + thread; i < ${rows * units}u; i += groups.x * threads) {
    let row = firstRow + i / ${units}u;
    if (row < p.rows) { x[row * ${units}u + i % ${units}u] = table[u32(tokens[row]) * ${units}u + i % ${units}u]; }
  }`;
  const leave = `if (lane >= ${rows}u || row >= p.rows || pair >= ${count}u) { return; }`;
  return program({
    name: embedded ? 'embedAttentionInputs' : 'attentionInputs',
    directives: subgroupDirectives(subgroupSize),
    bindings: {
      table: embedded ? `read ${innerElement(inner)}` : null,
      tokens: embedded ? 'read i32' : null,
      x: `${embedded ? 'write' : 'read'} ${innerElement(inner)}`,
      norm: `read ${innerElement(inner)}`,
      weight: `read ${weightElement(inner, bits)}`,
      ...pairBindings(options),
    },
    parameters: pairParameters,
    keepsParameters: true,
    threads,
    head: /* wgsl */ `
${pairHead(options, threads)}
${productMemory(product)}`,
    body: /* wgsl */ `
  let lane = thread % ${lanes}u;
  let pair = group.x * ${threads / lanes}u + thread / ${lanes}u;
  let firstRow = group.y * ${rows}u;
  ${locatePair(options)}
  ${beginWeights(product, 0, `min(first, ${columns - 1}u)`)}
  ${beginWeights(product, 1, `min(second, ${columns - 1}u)`)}
  ${unroll(rows, (i) => `let row${i} = min(firstRow + ${i}u, p.rows - 1u);`)}
  ${unroll(rows, (i) => `let rowBegin${i} = ${embedded ? `u32(tokens[row${i}])` : `row${i}`} * ${units}u;`)}
  ${embedded ? keepRows : ''}
  let row = firstRow + lane;
  let position = positionOf(min(row, p.rows - 1u));
  ${sumProducts(product, { x: embedded ? 'table' : 'x', weights: ['weight', 'weight'], norm: 'norm' })}
  ${ofLane('a', rows, (i) => `sum${i}x0`)}
  ${ofLane('b', rows, (i) => `sum${i}x1`)}
  ${ofLane('squares', rows, (i) => `squares${i}`)}
  let factor = 1.0 / sqrt(squares / ${inner}.0 + ${epsilon});
  a *= factor;
  b *= factor;
  ${keepPair(options, { lanes, leave })}`,
  });
});

type Call = Parameters<InferenceKernels<Matrix>['attentionInputs']>[0];

export function attentionInputsKernels(
  runtime: Runtime,
  composed: FusedKernels<Matrix>,
): Pick<
  InferenceKernels<Matrix> & FusedKernels<Matrix>,
  'attentionInputs' | 'embedAttentionInputs'
> {
  const run = (a: Call, table: Tensor | null, tokens: Tensor | null) => {
    const { x, norm, weight, cache } = a;
    const rows = rowsPerThread(x.rows);
    const pairs = pairsOfCall(runtime, a);
    const options = {
      ...pairs.options,
      rowsPerThread: rows,
      inner: x.columns,
      epsilon: a.epsilon,
      embedded: table !== null,
      subgroupSize: runtime.subgroupSize,
      bits: bitsOf(weight),
    };
    const perGroup = threads / lanesFor(x.columns, options.bits);
    runtime.run(
      attentionInputs(options),
      { table, tokens, x, norm, weight: memoryOf(weight), ...pairs.tensors },
      { rows: x.rows, width: cache.width, queries: a.query.rows },
      [Math.ceil(pairsOf(options).count / perGroup), Math.ceil(x.rows / rows), 1],
    );
  };
  return {
    attentionInputs: (call) => run(call, null, null),
    embedAttentionInputs(call) {
      const { table, tokens, ...inputs } = call;
      const isBound = table instanceof Tensor && runtime.fitsBinding(table);
      if (isBound && runtime.limits.storageBuffers >= 10) run(inputs, table, tokens);
      else composed.embedAttentionInputs(call);
    },
  };
}

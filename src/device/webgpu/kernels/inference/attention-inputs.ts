import type { FusedKernels } from '../../../../tensor/fused-kernels.ts';
import type { InferenceKernels } from '../../../../tensor/inference-kernels.ts';
import type { Matrix } from '../../../../tensor/quantized-matrix.ts';
import { rotaryFrequencies } from '../../../../tensor/rotary-table.ts';
import { Tensor } from '../../../../tensor/tensor.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { cacheElement, halvesFunctions, inHalves } from '../cache-format.ts';
import { bitsOf, memoryOf, type WeightBits } from '../quantized-weights.ts';
import { exactAngles } from '../rotary.ts';
import { cacheRow, cacheRowParameters } from './cache-rows.ts';
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

interface Options {
  rowsPerThread: number;
  inner: number;
  heads: number;
  keyValueHeads: number;
  headDim: number;
  valueDim: number;
  half: number;
  pageSize: number;
  epsilon: number;
  /** Whether x is taken from a table, and kept. */
  embedded: boolean;
  subgroupSize: number;
  bits: WeightBits;
  /** Whether the cache is in f16. */
  halves: boolean;
}

/** Pairs of columns: the two that are rotated together, or else neighbours. */
function pairsOf({ heads, keyValueHeads, headDim, valueDim, half }: Omit<Options, 'inner'>) {
  const perHead = half + Math.ceil((headDim - 2 * half) / 2);
  const inHeads = (heads + keyValueHeads) * perHead;
  return { perHead, inHeads, count: inHeads + Math.ceil((keyValueHeads * valueDim) / 2) };
}

/** The lanes of a pair take its two products, for several rows; then each lane finishes one row. */
const attentionInputs = programs((options: Options) => {
  const { inner, heads, keyValueHeads, headDim, valueDim, half, subgroupSize } = options;
  const { pageSize, epsilon, embedded, bits, halves } = options;
  const lanes = lanesFor(inner, bits);
  const rows = options.rowsPerThread;
  const product: Products = {
    ...{ rows, columns: 2, inner, normed: true, bits },
    ...{ lanes, threads, subgroupSize },
  };
  const { perHead, inHeads, count } = pairsOf(options);
  const keysBegin = heads * headDim;
  const valuesBegin = keysBegin + keyValueHeads * headDim;
  const columns = valuesBegin + keyValueHeads * valueDim;
  const units = innerUnits(inner);
  const keepRows = /* wgsl */ `
  for (var i = group.x * threads + thread; i < ${rows * units}u; i += groups.x * threads) {
    let row = firstRow + i / ${units}u;
    if (row < p.rows) { x[row * ${units}u + i % ${units}u] = table[u32(tokens[row]) * ${units}u + i % ${units}u]; }
  }`;
  const exchanges = halves && half > 0;
  const leave = `if (lane >= ${rows}u || row >= p.rows || pair >= ${count}u) { return; }`;
  const keepKeys = 'keys[begin + first] = a;\n    if (paired) { keys[begin + second] = b; }';
  const keepValues = 'values[begin + first] = a;\n    if (paired) { values[begin + second] = b; }';
  // A word has two neighbours, but what is rotated together is not. So of two pairs side by side the first
  // has the words of both first numbers, and the second that of both second ones.
  const exchange = /* wgsl */ `
  exchanged[thread] = select(b, a, at % 2u == 1u);
  workgroupBarrier();
  let other = exchanged[thread ^ ${lanes}u];
  `;
  const keepHalves = exchanges
    ? /* wgsl */ `
    if (at >= ${half}u) { keys[(begin + first) / 2u] = packHalves(a, b); }
    else if (at % 2u == 0u) { keys[(begin + first) / 2u] = packHalves(a, other); }
    else { keys[(begin + second) / 2u] = packHalves(other, b); }`
    : `keys[(begin + first) / 2u] = packHalves(a, b);`;
  return program({
    name: embedded ? 'embedAttentionInputs' : 'attentionInputs',
    directives: subgroupDirectives(subgroupSize),
    bindings: {
      table: embedded ? `read ${innerElement(inner)}` : null,
      tokens: embedded ? 'read i32' : null,
      x: `${embedded ? 'write' : 'read'} ${innerElement(inner)}`,
      norm: `read ${innerElement(inner)}`,
      weight: `read ${weightElement(inner, bits)}`,
      rowPlaces: 'read i32',
      frequencies: half > 0 ? 'read f32' : null,
      query: 'write f32',
      keys: `write ${cacheElement('f32', halves)}`,
      values: `write ${cacheElement('f32', halves)}`,
    },
    parameters: cacheRowParameters,
    keepsParameters: true,
    threads,
    head: /* wgsl */ `
${half > 0 ? exactAngles : ''}
${cacheRow(pageSize)}
${halves ? halvesFunctions : ''}
${productMemory(product)}
${exchanges ? `var<workgroup> exchanged: array<f32, ${threads}>;` : ''}`,
    body: /* wgsl */ `
  let lane = thread % ${lanes}u;
  let pair = group.x * ${threads / lanes}u + thread / ${lanes}u;
  let firstRow = group.y * ${rows}u;
  let inHeads = pair < ${inHeads}u;
  let at = pair % ${perHead}u;
  var first = ${valuesBegin}u + 2u * (pair - ${inHeads}u);
  var second = first + 1u;
  var paired = second < ${columns}u;
  if (inHeads) {
    let head = pair / ${perHead}u;
    first = head * ${headDim}u + select(2u * at, at, at < ${half}u);
    second = first + select(1u, ${half}u, at < ${half}u);
    paired = second < (head + 1u) * ${headDim}u;
  }
  ${beginWeights(product, 0, `min(first, ${columns - 1}u)`)}
  ${beginWeights(product, 1, `min(second, ${columns - 1}u)`)}
  ${unroll(rows, (i) => `let row${i} = min(firstRow + ${i}u, p.rows - 1u);`)}
  ${unroll(rows, (i) => `let rowBegin${i} = ${embedded ? `u32(tokens[row${i}])` : `row${i}`} * ${units}u;`)}
  ${embedded ? keepRows : ''}
  let row = firstRow + lane;
  let position = positionOf(min(row, p.rows - 1u));
  ${sumProducts(product, { x: embedded ? 'table' : 'x', weights: ['weight', 'weight'], norm: 'norm' })}
  ${exchanges ? '' : leave}
  ${ofLane('a', rows, (i) => `sum${i}x0`)}
  ${ofLane('b', rows, (i) => `sum${i}x1`)}
  ${ofLane('squares', rows, (i) => `squares${i}`)}
  let factor = 1.0 / sqrt(squares / ${inner}.0 + ${epsilon});
  a *= factor;
  b *= factor;
  ${
    half > 0
      ? /* wgsl */ `
  if (inHeads && at < ${half}u) {
    let turned = rotation(i32(position), frequencies[at]);
    let other = a;
    a = other * turned.x - b * turned.y;
    b = b * turned.x + other * turned.y;
  }`
      : ''
  }
  ${exchanges ? exchange + leave : ''}
  if (first < ${keysBegin}u) {
    let begin = row * ${keysBegin}u;
    query[begin + first] = a;
    if (paired) { query[begin + second] = b; }
    return;
  }
  let place = cacheRow(sequenceOf(row), position);
  if (first < ${valuesBegin}u) {
    let begin = place * ${keyValueHeads * headDim}u - ${keysBegin}u;
    ${halves ? keepHalves : keepKeys}
  } else {
    let begin = place * ${keyValueHeads * valueDim}u - ${valuesBegin}u;
    ${halves ? `values[(begin + first) / 2u] = packHalves(a, b);` : keepValues}
  }`,
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
    const { x, norm, weight, query, cache, rotaryDim, theta } = a;
    const rows = rowsPerThread(x.rows);
    const options = {
      rowsPerThread: rows,
      inner: x.columns,
      heads: a.heads,
      keyValueHeads: a.keyValueHeads,
      headDim: a.headDim,
      valueDim: a.valueDim,
      half: rotaryDim / 2,
      pageSize: cache.pageSize,
      epsilon: a.epsilon,
      embedded: table !== null,
      subgroupSize: runtime.subgroupSize,
      bits: bitsOf(weight),
      halves: inHalves(cache.keys),
    };
    const frequencies =
      rotaryDim > 0
        ? runtime.constant(`rotary ${rotaryDim} ${theta}`, () =>
            rotaryFrequencies(rotaryDim, theta),
          )
        : null;
    const { layout, keys, values } = cache;
    const perGroup = threads / lanesFor(x.columns, options.bits);
    runtime.run(
      attentionInputs(options),
      {
        ...{ table, tokens, x, norm, weight: memoryOf(weight), rowPlaces: layout, frequencies },
        ...{ query, keys, values },
      },
      { rows: x.rows, width: cache.width },
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

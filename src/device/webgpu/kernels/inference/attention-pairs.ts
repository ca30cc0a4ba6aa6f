/**
 * What becomes of the products that attention begins with: queries and keys are rotated, two numbers of a
 * head together, and keys and values go to their places in the cache. A thread has such a pair of columns,
 * or else two neighbours.
 */
import type { InferenceKernels } from '../../../../tensor/inference-kernels.ts';
import type { Matrix } from '../../../../tensor/quantized-matrix.ts';
import { rotaryFrequencies } from '../../../../tensor/rotary-table.ts';
import type { Tensor } from '../../../../tensor/tensor.ts';
import { program, programs } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { cacheElement, halvesFunctions, inHalves } from '../cache-format.ts';
import { exactAngles } from '../rotary.ts';
import { cacheRow, cacheRowParameters } from './cache-rows.ts';

export interface PairOptions {
  heads: number;
  keyValueHeads: number;
  headDim: number;
  valueDim: number;
  /** Half of the numbers of a head that are rotated. */
  half: number;
  pageSize: number;
  /** Whether the cache is in f16. */
  halves: boolean;
}

type Call = Parameters<InferenceKernels<Matrix>['attentionInputs']>[0];

/** How a call's products are divided into pairs, and the tensors that these go to. */
export function pairsOfCall(runtime: Runtime, { cache, query, rotaryDim, theta, ...call }: Call) {
  const { layout, keys, values, pageSize } = cache;
  const { heads, keyValueHeads, headDim, valueDim } = call;
  const frequencies =
    rotaryDim > 0
      ? runtime.constant(`rotary ${rotaryDim} ${theta}`, () => rotaryFrequencies(rotaryDim, theta))
      : null;
  const half = rotaryDim / 2;
  return {
    options: {
      ...{ heads, keyValueHeads, headDim, valueDim, half, pageSize, halves: inHalves(keys) },
    } satisfies PairOptions,
    tensors: { rowPlaces: layout, frequencies, query, keys, values },
  };
}

/** Where keys and values begin in a row of the products, and how many columns and pairs there are. */
export function pairsOf({ heads, keyValueHeads, headDim, valueDim, half }: PairOptions) {
  const perHead = half + Math.ceil((headDim - 2 * half) / 2);
  const inHeads = (heads + keyValueHeads) * perHead;
  const keysBegin = heads * headDim;
  const valuesBegin = keysBegin + keyValueHeads * headDim;
  const columns = valuesBegin + keyValueHeads * valueDim;
  const count = inHeads + Math.ceil((keyValueHeads * valueDim) / 2);
  return { perHead, inHeads, keysBegin, valuesBegin, columns, count };
}

/** The parameters that `keepPair` needs. */
export const pairParameters = { ...cacheRowParameters, queries: 'u32' } as const;

/** The tensors that `keepPair` needs. */
export const pairBindings = ({ half, halves }: PairOptions) =>
  ({
    rowPlaces: 'read i32',
    frequencies: half > 0 ? 'read f32' : null,
    query: 'write f32',
    keys: `write ${cacheElement('f32', halves)}`,
    values: `write ${cacheElement('f32', halves)}`,
  }) as const;

const exchanges = ({ half, halves }: PairOptions) => halves && half > 0;

export const pairHead = (options: PairOptions, threads: number) => /* wgsl */ `
${options.half > 0 ? exactAngles : ''}
${cacheRow(options.pageSize)}
${options.halves ? halvesFunctions : ''}
${exchanges(options) ? `var<workgroup> exchanged: array<f32, ${threads}>;` : ''}`;

/** Declares the columns `first` and `second` of `pair`, and whether there is a second. */
export function locatePair(options: PairOptions): string {
  const { headDim, half } = options;
  const { perHead, inHeads, valuesBegin, columns } = pairsOf(options);
  return /* wgsl */ `
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
  }`;
}

/**
 * Rotates the numbers `a` and `b` of a pair of the row `row`, at `position`, and writes them. The next pair
 * has the thread `lanes` further on. `leave`: a statement by which a thread without a pair returns.
 */
export function keepPair(
  options: PairOptions,
  { lanes, leave }: { lanes: number; leave: string },
): string {
  const { keyValueHeads, headDim, valueDim, half, halves } = options;
  const { keysBegin, valuesBegin } = pairsOf(options);
  const keepKeys = 'keys[begin + first] = a;\n    if (paired) { keys[begin + second] = b; }';
  const keepValues = 'values[begin + first] = a;\n    if (paired) { values[begin + second] = b; }';
  // A word has two neighbours, but what is rotated together is not. So of two pairs side by side the first
  // has the words of both first numbers, and the second that of both second ones.
  const exchange = /* wgsl */ `
  exchanged[thread] = select(b, a, at % 2u == 1u);
  workgroupBarrier();
  let other = exchanged[thread ^ ${lanes}u];
  `;
  const keepHalves = exchanges(options)
    ? /* wgsl */ `
    if (at >= ${half}u) { keys[(begin + first) / 2u] = packHalves(a, b); }
    else if (at % 2u == 0u) { keys[(begin + first) / 2u] = packHalves(a, other); }
    else { keys[(begin + second) / 2u] = packHalves(other, b); }`
    : `keys[(begin + first) / 2u] = packHalves(a, b);`;
  return /* wgsl */ `
  ${exchanges(options) ? '' : leave}
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
  ${exchanges(options) ? exchange + leave : ''}
  if (first < ${keysBegin}u) {
    if (row >= p.queries) { return; }
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
  }`;
}

/** Does so with products that are there: a thread a pair, a row of workgroups a row. */
const placePairs = programs((options: PairOptions) => {
  const threads = 128;
  const { columns, count } = pairsOf(options);
  return program({
    name: 'placeAttentionInputs',
    bindings: { products: 'read f32', ...pairBindings(options) },
    parameters: pairParameters,
    keepsParameters: true,
    threads,
    head: pairHead(options, threads),
    body: /* wgsl */ `
  let row = group.y;
  let pair = group.x * ${threads}u + thread;
  ${locatePair(options)}
  let position = positionOf(row);
  var a = products[row * ${columns}u + min(first, ${columns - 1}u)];
  var b = products[row * ${columns}u + min(second, ${columns - 1}u)];
  ${keepPair(options, { lanes: 1, leave: `if (pair >= ${count}u) { return; }` })}`,
  });
});

/** The rest of `attentionInputs`, with `products` [T,·] = n·weightᵀ. */
export function placeAttentionInputs(runtime: Runtime, call: Call, products: Tensor): void {
  const { options, tensors } = pairsOfCall(runtime, call);
  const { rows } = products;
  const program = placePairs(options);
  const groups = Math.ceil(pairsOf(options).count / program.threads);
  const sizes = { rows, width: call.cache.width, queries: call.query.rows };
  runtime.run(program, { products, ...tensors }, sizes, [groups, rows, 1]);
}

/**
 * The gradients of `backward.ts` on matrix units, with operands rounded to f16 and sums in f32.
 *
 * A workgroup holds 64 rows on the left (queries or keys) and walks over those on the right (keys or
 * queries), 64 at a time; each of its four subgroups has 16 of the left rows, whose elements and sums
 * stay in registers. Of each 16×32 scores a subgroup makes the slopes dA in workgroup memory, and from
 * them the sums. `dOut` is multiplied by `gradientScale` before it is rounded; sums are divided by it.
 */
import {
  loadUnit,
  type MatrixUnits,
  matrixUnitDirectives,
  multiplyUnits,
  storeUnit,
  unitType,
} from '../../matrix-units.ts';
import { program, programs, unroll } from '../../program.ts';
import { firstVisible, type Heads, tokensPerBlock } from './tile.ts';

export interface UnitHeads extends Heads {
  units: MatrixUnits;
}

/** Whether heads are made of whole units. */
export function headsFitUnits({ keyDim, valueDim }: Heads): boolean {
  // Both kinds of rows, 64 of each, must fit workgroup memory beside the scores.
  return keyDim % 16 === 0 && valueDim % 16 === 0 && keyDim + valueDim <= 160;
}

const rows = 64;
const subgroups = 4;
/** Right rows whose scores are in workgroup memory at once. */
const columns = 32;
const padding = 8;
/** Elements of a row of weights. */
const weightStride = columns + padding;

const parameters = {
  tokens: 'u32',
  window: 'i32',
  scale: 'f32',
  valueScale: 'f32',
  gradientScale: 'f32',
} as const;

const inputs = {
  query: 'read vec4f',
  key: 'read vec4f',
  value: 'read vec4f',
  rowStart: 'read i32',
  dOut: 'read vec4f',
  terms: 'read vec2f',
} as const;

export const unitQueryGradient = programs((options: UnitHeads) =>
  program({
    name: 'attentionBackwardQueryUnits',
    directives: matrixUnitDirectives,
    bindings: { ...inputs, dQuery: 'write f32' },
    parameters,
    threads: subgroups * options.units.subgroupSize,
    head: head(options, 'query'),
    body: /* wgsl */ `
  let first = group.x * blockTokens;
  let last = min(first + blockTokens, p.tokens) - 1u;
  keyHead = group.y;
  queryBegin = first * shared_;
  queryEnd = (last + 1u) * shared_;
  loadQueries(thread, p.gradientScale);
  ${begin(options)}
  for (var begin = firstVisible(first); begin <= last; begin += ${rows}u) {
    keyBegin = begin;
    workgroupBarrier();
    loadKeys(thread);
    workgroupBarrier();
    ${unroll(rows / columns, (half) => step(options, 'query', half * columns))}
  }
  ${store(options, { sum: 'first', size: options.keyDim, array: 'dQuery', row: 'queryHead(row)', valid: 'queryBegin + row < queryEnd', factor: '1.0 / p.gradientScale' })}`,
  }),
);

export const unitKeyGradient = programs((options: UnitHeads) =>
  program({
    name: 'attentionBackwardKeyUnits',
    directives: matrixUnitDirectives,
    bindings: { ...inputs, dKey: 'write f32', dValue: 'write f32' },
    parameters,
    threads: subgroups * options.units.subgroupSize,
    head: head(options, 'key'),
    body: /* wgsl */ `
  let first = group.x * ${rows}u;
  let end = (lastSeeing(min(first + ${rows}u, p.tokens) - 1u) + 1u) * shared_;
  keyBegin = first;
  keyHead = group.y;
  queryEnd = end;
  loadKeys(thread);
  ${begin(options)}
  for (var begin = first * shared_; begin < end; begin += ${rows}u) {
    queryBegin = begin;
    workgroupBarrier();
    loadQueries(thread, p.gradientScale);
    workgroupBarrier();
    ${unroll(rows / columns, (half) => step(options, 'key', half * columns))}
  }
  ${store(options, { sum: 'first', size: options.keyDim, array: 'dKey', row: '(keyBegin + row) * keyValueHeads + keyHead', valid: 'keyBegin + row < p.tokens', factor: '1.0 / p.gradientScale' })}
  ${store(options, { sum: 'second', size: options.valueDim, array: 'dValue', row: '(keyBegin + row) * keyValueHeads + keyHead', valid: 'keyBegin + row < p.tokens', factor: 'p.valueScale / p.gradientScale' })}`,
  }),
);

/**
 * Workgroup memory and loading. `firstSlice` has rows of query or key, `secondSlice` of dOut or value:
 * first those on the left, which move to registers, and then those on the right.
 */
function head(options: UnitHeads, left: 'query' | 'key'): string {
  const { heads, keyValueHeads, keyDim, valueDim, units } = options;
  const threads = subgroups * units.subgroupSize;
  const loadRows = (slice: string, size: number, value: string) => /* wgsl */ `
  for (var i = thread; i < ${(rows * size) / 4}u; i += ${threads}u) {
    let row = i / ${size / 4}u;
    let quad = i % ${size / 4}u;
    var loaded = vec4f();
    ${value}
    ${slice}[row * ${(size + padding) / 4}u + quad] = vec4<f16>(loaded);
  }`;
  const keys = (array: string, size: number) =>
    `if (keyBegin + row < p.tokens) { loaded = ${array}[((keyBegin + row) * keyValueHeads + keyHead) * ${size / 4}u + quad]; }`;
  const queries = (array: string, size: number, factor: string) =>
    `if (queryBegin + row < queryEnd) { loaded = ${array}[queryHead(row) * ${size / 4}u + quad]${factor}; }`;
  return /* wgsl */ `
const heads = ${heads}u;
const keyValueHeads = ${keyValueHeads}u;
const shared_ = ${heads / keyValueHeads}u;
const blockTokens = ${tokensPerBlock(options)}u;
var<workgroup> firstSlice: array<vec4<f16>, ${(rows * (keyDim + padding)) / 4}>;
var<workgroup> secondSlice: array<vec4<f16>, ${(rows * (valueDim + padding)) / 4}>;
var<workgroup> scores: array<f32, ${rows * columns}>;
var<workgroup> slopes: array<f32, ${rows * columns}>;
var<workgroup> weights: array<f16, ${rows * weightStride}>;
/** Of each query row: logSumExp, D, and the first and last key that it sees. */
var<workgroup> queryTerms: array<vec4f, ${rows}>;
var<workgroup> querySees: array<vec2u, ${rows}>;
var<private> keyHead: u32;
var<private> keyBegin: u32;
var<private> queryBegin: u32;
var<private> queryEnd: u32;
${firstVisible}
${left === 'key' ? lastSeeing : ''}
fn queryHead(row: u32) -> u32 {
  let at = queryBegin + row;
  return at / shared_ * heads + keyHead * shared_ + at % shared_;
}
fn loadKeys(thread: u32) {
  ${loadRows('firstSlice', keyDim, keys('key', keyDim))}
  ${loadRows('secondSlice', valueDim, keys('value', valueDim))}
}
fn loadQueries(thread: u32, gradientScale: f32) {
  ${loadRows('firstSlice', keyDim, queries('query', keyDim, ''))}
  ${loadRows('secondSlice', valueDim, queries('dOut', valueDim, ' * gradientScale'))}
  for (var row = thread; row < ${rows}u; row += ${threads}u) {
    var term = vec4f();
    var sees = vec2u(1u, 0u);
    if (queryBegin + row < queryEnd) {
      let token = (queryBegin + row) / shared_;
      let pair = terms[queryHead(row)];
      term = vec4f(pair.x, pair.y * gradientScale, 0.0, 0.0);
      sees = vec2u(firstVisible(token), token);
    }
    queryTerms[row] = term;
    querySees[row] = sees;
  }
}`;
}

/** The last token that sees any key up to `last`: those that see it come before those that do not. */
const lastSeeing = /* wgsl */ `
fn lastSeeing(last: u32) -> u32 {
  var low = last;
  var high = p.tokens;
  while (high - low > 1u) {
    let middle = (low + high) / 2u;
    if (firstVisible(middle) <= last) { low = middle; } else { high = middle; }
  }
  return low;
}`;

const firstStride = ({ keyDim }: Heads) => (keyDim + padding) / 4;
const secondStride = ({ valueDim }: Heads) => (valueDim + padding) / 4;

/** Moves the left rows to registers and clears the sums. */
function begin(options: UnitHeads): string {
  const { units, keyDim, valueDim } = options;
  const left = (slice: string, stride: number, k: number) =>
    loadUnit(
      unitType(units, 'left'),
      'row_major',
      slice,
      `ownRow * ${stride}u + ${(k * 16) / 4}u`,
      `${stride}u`,
    );
  const result = unitType(units, 'result');
  return /* wgsl */ `
  let lane = thread % ${units.subgroupSize}u;
  let ownRow = thread / ${units.subgroupSize}u * 16u;
  workgroupBarrier();
  ${unroll(keyDim / 16, (k) => `let firstLeft${k} = ${left('firstSlice', firstStride(options), k)};`)}
  ${unroll(valueDim / 16, (k) => `let secondLeft${k} = ${left('secondSlice', secondStride(options), k)};`)}
  ${unroll(keyDim / 16, (c) => `var first${c}: ${result};`)}
  ${unroll(valueDim / 16, (c) => `var second${c}: ${result};`)}`;
}

/** Scores of the right rows from `offset` on, and what they add to the sums. */
function step(options: UnitHeads, left: 'query' | 'key', offset: number): string {
  const { units, keyDim, valueDim } = options;
  const result = unitType(units, 'result');
  const right = (slice: string, stride: number, j: number, k: number) =>
    loadUnit(
      unitType(units, 'right'),
      'col_major',
      slice,
      `${(offset + j * 16) * stride + (k * 16) / 4}u`,
      `${stride}u`,
    );
  const products = (name: string, from: string, slice: string, stride: number, size: number) =>
    unroll(
      columns / 16,
      (j) => /* wgsl */ `{
      // Without a value, a matrix declared in a loop keeps that of the iteration before.
      var sum = ${result}();
      ${unroll(size / 16, (k) => `sum = ${multiplyUnits(`${from}${k}`, right(slice, stride, j, k), 'sum')};`)}
      ${storeUnit(name, `ownRow * ${columns}u + ${j * 16}u`, 'sum', `${columns}u`)};
    }`,
    );
  const addTo = (sum: string, slice: string, stride: number, size: number) =>
    unroll(
      columns / 16,
      (k) => /* wgsl */ `{
      let weight = ${loadUnit(unitType(units, 'left'), 'row_major', 'weights', `ownRow * ${weightStride}u + ${k * 16}u`, `${weightStride}u`)};
      ${unroll(size / 16, (c) => `${sum}${c} = ${multiplyUnits('weight', loadUnit(unitType(units, 'right'), 'row_major', slice, `${(offset + k * 16) * stride + (c * 16) / 4}u`, `${stride}u`), `${sum}${c}`)};`)}
    }`,
    );
  const elements = (piece: (n: number) => string) =>
    unroll((16 * columns) / units.subgroupSize, piece);
  const at = (n: number) => {
    const index = `lane + ${n * units.subgroupSize}u`;
    return { row: `(ownRow + (${index}) / ${columns}u)`, column: `(${index}) % ${columns}u` };
  };
  const weightOf = (n: number) => /* wgsl */ `
    var chance${n} = 0.0;
    var slope${n} = 0.0;
    {
      let row = ${at(n).row};
      let column = ${at(n).column};
      let queryRow = ${left === 'query' ? 'row' : `column + ${offset}u`};
      let k = keyBegin + ${left === 'query' ? `column + ${offset}u` : 'row'};
      let term = queryTerms[queryRow];
      let sees = querySees[queryRow];
      if (k >= sees.x && k <= sees.y) {
        chance${n} = exp(min(scores[row * ${columns}u + column] * p.scale - term.x, 80.0));
        slope${n} = chance${n} * (slopes[row * ${columns}u + column] * p.valueScale - term.y) * p.scale;
      }
    }`;
  const keep = (name: string) =>
    elements(
      (n) => `weights[${at(n).row} * ${weightStride}u + ${at(n).column}] = f16(${name}${n});`,
    );
  return /* wgsl */ `{
    ${products('scores', 'firstLeft', 'firstSlice', firstStride(options), keyDim)}
    ${products('slopes', 'secondLeft', 'secondSlice', secondStride(options), valueDim)}
    workgroupBarrier();
    ${elements(weightOf)}
    ${
      left === 'key'
        ? /* wgsl */ `
    ${keep('chance')}
    workgroupBarrier();
    ${addTo('second', 'secondSlice', secondStride(options), valueDim)}
    workgroupBarrier();`
        : ''
    }
    ${keep('slope')}
    workgroupBarrier();
    ${addTo('first', 'firstSlice', firstStride(options), keyDim)}
  }`;
}

/** Writes sums, times `factor`, to rows of `array` where `valid` (of `row`). */
function store(
  { units }: UnitHeads,
  {
    sum,
    size,
    array,
    row,
    valid,
    factor,
  }: { sum: string; size: number; array: string; row: string; valid: string; factor: string },
): string {
  return unroll(
    size / 16,
    (c) => /* wgsl */ `
  workgroupBarrier();
  ${storeUnit('scores', `ownRow * ${columns}u`, `${sum}${c}`, '16u')};
  workgroupBarrier();
  for (var i = lane; i < 256u; i += ${units.subgroupSize}u) {
    let row = ownRow + i / 16u;
    if (${valid}) { ${array}[(${row}) * ${size}u + ${c * 16}u + i % 16u] = scores[ownRow * ${columns}u + i] * (${factor}); }
  }`,
  );
}

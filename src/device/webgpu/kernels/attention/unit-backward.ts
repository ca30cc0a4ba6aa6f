/**
 * The gradients of `backward.ts` on matrix units: see `unit-block.ts`. `dOut` is multiplied by
 * `gradientScale` before it is rounded; sums are divided by it.
 */
import { matrixUnitDirectives } from '../../matrix-units.ts';
import { program, programs, unroll } from '../../program.ts';
import { firstVisible } from './tile.ts';
import {
  addWeighted,
  blockRows,
  eachScore,
  eachSum,
  lanes,
  leftUnits,
  moreScores,
  scoreColumns,
  type UnitHeads,
  unitMemory,
  unitScores,
  unitSums,
  unitThreads,
} from './unit-block.ts';
import { keyRowsOf, loadSlices, queryRowsOf } from './unit-slices.ts';

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
    bindings: { ...inputs, dQuery: 'write vec4f' },
    parameters,
    threads: unitThreads(options),
    head: head(options),
    body: /* wgsl */ `
  let first = group.x * blockTokens;
  let last = min(first + blockTokens, p.tokens) - 1u;
  keyHead = group.y;
  queryBegin = first * sharing;
  queryEnd = (last + 1u) * sharing;
  ${lanes(options)}
  loadQueries(thread);
  ${begin(options)}
  let term = queryTerms[row];
  for (var begin = firstVisible(first); begin <= last; begin += ${blockRows}u) {
    keyBegin = begin;
    workgroupBarrier();
    loadKeys(thread);
    workgroupBarrier();
    ${unroll(blockRows / scoreColumns, (half) => {
      const offset = half * scoreColumns;
      return /* wgsl */ `{
    ${slopesOf(options, offset, 'query')}
    ${keep(options, 'slope')}
    workgroupBarrier();
    ${addWeighted(options, 'first', { slice: 'firstSlice', size: options.keyDim, begin: offset })}
    }`;
    })}
  }
  let stored = queryBegin + row < queryEnd;
  ${store(options, { sum: 'first', size: options.keyDim, array: 'dQuery', row: 'queryHead(row)', factor: '1.0 / p.gradientScale' })}`,
  }),
);

export const unitKeyGradient = programs((options: UnitHeads) =>
  program({
    name: 'attentionBackwardKeyUnits',
    directives: matrixUnitDirectives,
    bindings: { ...inputs, dKey: 'write vec4f', dValue: 'write vec4f' },
    parameters,
    threads: unitThreads(options),
    head: head(options) + lastSeeing,
    body: /* wgsl */ `
  let first = group.x * ${blockRows}u;
  let end = (lastSeeing(min(first + ${blockRows}u, p.tokens) - 1u) + 1u) * sharing;
  keyBegin = first;
  keyHead = group.y;
  queryEnd = end;
  ${lanes(options)}
  loadKeys(thread);
  ${begin(options)}
  ${unitSums(options, 'second', options.valueDim)}
  for (var begin = first * sharing; begin < end; begin += ${blockRows}u) {
    queryBegin = begin;
    workgroupBarrier();
    loadQueries(thread);
    workgroupBarrier();
    ${unroll(blockRows / scoreColumns, (half) => {
      const offset = half * scoreColumns;
      return /* wgsl */ `{
    ${slopesOf(options, offset, 'key')}
    ${keep(options, 'chance')}
    workgroupBarrier();
    ${addWeighted(options, 'second', { slice: 'secondSlice', size: options.valueDim, begin: offset })}
    workgroupBarrier();
    ${keep(options, 'slope')}
    workgroupBarrier();
    ${addWeighted(options, 'first', { slice: 'firstSlice', size: options.keyDim, begin: offset })}
    }`;
    })}
  }
  let stored = keyBegin + row < p.tokens;
  ${store(options, { sum: 'first', size: options.keyDim, array: 'dKey', row: '(keyBegin + row) * keyValueHeads + keyHead', factor: '1.0 / p.gradientScale' })}
  ${store(options, { sum: 'second', size: options.valueDim, array: 'dValue', row: '(keyBegin + row) * keyValueHeads + keyHead', factor: 'p.valueScale / p.gradientScale' })}`,
  }),
);

function head(options: UnitHeads): string {
  return /* wgsl */ `
${unitMemory(options)}
${moreScores('slopes')}
/** Of each query row: the bits of logSumExp and of D, and the first and last key that it sees. */
var<workgroup> queryTerms: array<vec4u, ${blockRows}>;
${firstVisible}
fn loadKeys(thread: u32) {
  ${loadSlices(options, keyRowsOf('key'), keyRowsOf('value'))}
}
fn loadQueries(thread: u32) {
  let row = thread % ${blockRows}u;
  let token = (queryBegin + row) / sharing;
  let pair = terms[queryHead(row)];
  let begin = firstVisible(min(token, p.tokens - 1u));
  ${loadSlices(options, queryRowsOf('query'), queryRowsOf('dOut', ' * p.gradientScale'))}
  if (thread < ${blockRows}u) {
    let bits = bitcast<vec2u>(vec2f(pair.x, pair.y * p.gradientScale));
    queryTerms[row] = select(vec4u(bits, 1u, 0u), vec4u(bits, begin, token), queryBegin + row < queryEnd);
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

/** Moves the left rows to registers; sums of keyDim columns begin at zero. */
function begin(options: UnitHeads): string {
  const { keyDim, valueDim } = options;
  return /* wgsl */ `
  workgroupBarrier();
  ${leftUnits(options, 'firstLeft', 'firstSlice', keyDim)}
  ${leftUnits(options, 'secondLeft', 'secondSlice', valueDim)}
  ${unitSums(options, 'first', keyDim)}`;
}

/** Of the lane's scores with the right rows from `offset` on: `chance` p and `slope` dA, in quads. */
function slopesOf(options: UnitHeads, offset: number, left: 'query' | 'key'): string {
  const { keyDim, valueDim } = options;
  const scoresOf = (name: string, kind: 'first' | 'second', size: number) =>
    unitScores(options, name, {
      ...{ left: `${kind}Left`, slice: `${kind}Slice`, size },
      begin: offset,
    });
  // Four queries of one key, or four keys of one query.
  const four = (piece: (i: number) => string) => [0, 1, 2, 3].map(piece).join(', ');
  const termOf = (index: number, i: number, component: string) =>
    left === 'query' ? `term.${component}` : `term${index}_${i}.${component}`;
  return /* wgsl */ `
    ${scoresOf('scores', 'first', keyDim)}
    ${scoresOf('slopes', 'second', valueDim)}
    workgroupBarrier();
    ${eachScore(options, ({ index, at, column }) => {
      const terms = (component: string) => `vec4u(${four((i) => termOf(index, i, component))})`;
      return /* wgsl */ `
    ${left === 'key' ? unroll(4, (i) => `let term${index}_${i} = queryTerms[${column} + ${offset + i}u];`) : ''}
    let key${index} = ${left === 'query' ? `vec4u(keyBegin + ${offset}u + ${column}) + vec4u(${four((i) => `${i}u`)})` : 'vec4u(keyBegin + row)'};
    let seen${index} = (key${index} >= ${terms('z')}) & (key${index} <= ${terms('w')});
    let exponent${index} = scores[${at}] * p.scale - bitcast<vec4f>(${terms('x')});
    let chance${index} = select(vec4f(), exp(min(exponent${index}, vec4f(80.0))), seen${index});
    let slope${index} = chance${index} * (slopes[${at}] * p.valueScale - bitcast<vec4f>(${terms('y')})) * p.scale;`;
    })}`;
}

/** Makes weights of the lane's quads. */
function keep(options: UnitHeads, name: 'chance' | 'slope'): string {
  return eachScore(
    options,
    ({ index, weightAt }) => `weights[${weightAt}] = vec4<f16>(${name}${index});`,
  );
}

/** Writes sums, times `factor`, to a row of `array`. */
function store(
  options: UnitHeads,
  sums: { sum: string; size: number; array: string; row: string; factor: string },
): string {
  const { array, size, row, factor } = sums;
  return eachSum(
    options,
    { ...sums, keep: false },
    (at, quad) =>
      `if (stored) { ${array}[(${row}) * ${size / 4}u + ${quad}] = scores[${at}] * (${factor}); }`,
  );
}

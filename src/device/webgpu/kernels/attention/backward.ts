/**
 * Gradients of attention, with the probabilities computed again from logSumExp. In one row,
 *   p_j = exp(scale·q·k_j − logSumExp),  D = dOut·out,  dA_j = p_j·(valueScale·dOut·v_j − D)·scale,
 *   dq = Σ dA_j·k_j,  dk_j = Σ dA_j·q,  dv_j = valueScale·Σ p_j·dOut,  dsink −= Σ exp(sink − logSumExp)·D.
 *
 * One kernel holds blocks of queries and walks over keys; another holds blocks of keys and walks over
 * queries. Each sum has one owner, so nothing is added atomically and every run gives the same.
 */
import { program, programs } from '../../program.ts';
import {
  attentionThreads,
  declareSums,
  firstVisible,
  type Heads,
  product,
  queryRows,
  storeSums,
  tileMemory,
  weightedSum,
} from './tile.ts';

const parameters = { tokens: 'u32', window: 'i32', scale: 'f32', valueScale: 'f32' } as const;

/** (logSumExp, D) of each row: 16 threads a row. */
export const rowTerms = program({
  name: 'attentionTerms',
  bindings: { out: 'read f32', dOut: 'read f32', logSumExp: 'read f32', terms: 'write vec2f' },
  parameters: { rows: 'u32', columns: 'u32' },
  threads: 256,
  head: 'var<workgroup> parts: array<f32, 256>;',
  body: /* wgsl */ `
  for (var begin = group.x * 16u; begin < p.rows; begin += groups.x * 16u) {
    let row = begin + thread / 16u;
    var sum = 0.0;
    if (row < p.rows) {
      for (var c = thread % 16u; c < p.columns; c += 16u) {
        sum += out[row * p.columns + c] * dOut[row * p.columns + c];
      }
    }
    parts[thread] = sum;
    workgroupBarrier();
    if (thread < 16u && begin + thread < p.rows) {
      var all = 0.0;
      for (var i = 0u; i < 16u; i++) { all += parts[thread * 16u + i]; }
      terms[begin + thread] = vec2f(logSumExp[begin + thread], all);
    }
    workgroupBarrier();
  }`,
});

export const queryGradient = programs((options: Heads) =>
  program({
    name: 'attentionBackwardQuery',
    bindings: {
      query: 'read f32',
      key: 'read f32',
      value: 'read f32',
      rowStart: 'read i32',
      dOut: 'read f32',
      terms: 'read vec2f',
      dQuery: 'write f32',
    },
    parameters,
    threads: attentionThreads,
    head: /* wgsl */ `
${tileMemory(options)}
${declareSums('sum', options.keyDim)}
${firstVisible}
${queryRows('queryAt', 'query', 'keyDim')}
${queryRows('gradientAt', 'dOut', 'valueDim')}
fn rowAt(i: u32) -> u32 { return min(rightBegin + i, p.tokens - 1u) * keyValueHeads + keyHead; }
fn keyAt(i: u32, d: u32) -> f32 { return key[rowAt(i) * keyDim + d]; }
fn valueAt(i: u32, d: u32) -> f32 { return value[rowAt(i) * valueDim + d]; }
fn keyRow(i: u32) -> u32 { return rowAt(i) * keyDim; }
${product('scores', options.keyDim, 'queryAt', 'keyAt')}
${product('gradients', options.valueDim, 'gradientAt', 'valueAt')}
${weightedSum('addKeys', { target: 'sum', size: options.keyDim, array: 'key', row: 'keyRow' })}`,
    body: /* wgsl */ `
  let lane = thread % 16u;
  let quad = thread / 16u;
  leftBegin = group.x * blockTokens;
  keyHead = group.y;
  let first = group.x * blockTokens;
  let last = min(first + blockTokens, p.tokens) - 1u;
  var tokens: vec4u;
  var begins: vec4u;
  var totals: vec4f;
  var means: vec4f;
  for (var i = 0u; i < 4u; i++) {
    let row = 4u * quad + i;
    tokens[i] = min(first + row / sharing, last);
    begins[i] = firstVisible(tokens[i]);
    let term = terms[tokens[i] * heads + keyHead * sharing + row % sharing];
    totals[i] = term.x;
    means[i] = term.y;
  }
  for (var begin = firstVisible(first); begin <= last; begin += 32u) {
    rightBegin = begin;
    let k = begin + lane;
    let seen0 = (vec4u(k) >= begins) & (vec4u(k) <= tokens);
    let seen1 = (vec4u(k + 16u) >= begins) & (vec4u(k + 16u) <= tokens);
    let products = scores(thread);
    let slopes = gradients(thread);
    let p0 = exp(min(products[0] * p.scale - totals, vec4f(80.0)));
    let p1 = exp(min(products[1] * p.scale - totals, vec4f(80.0)));
    keepWeights(
      thread,
      select(vec4f(), p0 * (slopes[0] * p.valueScale - means) * p.scale, seen0),
      select(vec4f(), p1 * (slopes[1] * p.valueScale - means) * p.scale, seen1),
    );
    addKeys(thread, min(32u, last + 1u - begin));
  }
  ${storeSums(
    { target: 'sum', size: options.keyDim, array: 'dQuery' },
    {
      row: '((first + (4u * quad + i) / sharing) * heads + keyHead * sharing + (4u * quad + i) % sharing) * keyDim',
      valid: '4u * quad + i < blockTokens * sharing && first + (4u * quad + i) / sharing <= last',
      factor: '1.0',
    },
  )}`,
  }),
);

/** The right rows are query rows of the whole call; row r is token ⌊r/group⌋. */
export const keyGradient = programs((options: Heads) =>
  program({
    name: 'attentionBackwardKey',
    bindings: {
      query: 'read f32',
      key: 'read f32',
      value: 'read f32',
      rowStart: 'read i32',
      dOut: 'read f32',
      terms: 'read vec2f',
      dKey: 'write f32',
      dValue: 'write f32',
    },
    parameters,
    threads: attentionThreads,
    head: /* wgsl */ `
${tileMemory(options)}
${declareSums('toKey', options.keyDim)}
${declareSums('toValue', options.valueDim)}
${firstVisible}
fn rowAt(i: u32) -> u32 { return min(leftBegin + i, p.tokens - 1u) * keyValueHeads + keyHead; }
fn keyAt(i: u32, d: u32) -> f32 { return key[rowAt(i) * keyDim + d]; }
fn valueAt(i: u32, d: u32) -> f32 { return value[rowAt(i) * valueDim + d]; }
fn headRow(i: u32) -> u32 {
  let row = min(rightBegin + i, p.tokens * sharing - 1u);
  return row / sharing * heads + keyHead * sharing + row % sharing;
}
fn queryAt(i: u32, d: u32) -> f32 { return query[headRow(i) * keyDim + d]; }
fn gradientAt(i: u32, d: u32) -> f32 { return dOut[headRow(i) * valueDim + d]; }
fn queryRow(i: u32) -> u32 { return headRow(i) * keyDim; }
fn gradientRow(i: u32) -> u32 { return headRow(i) * valueDim; }
${product('scores', options.keyDim, 'keyAt', 'queryAt')}
${product('gradients', options.valueDim, 'valueAt', 'gradientAt')}
${weightedSum('addQueries', { target: 'toKey', size: options.keyDim, array: 'query', row: 'queryRow' })}
${weightedSum('addGradients', { target: 'toValue', size: options.valueDim, array: 'dOut', row: 'gradientRow' })}

/** The last token that sees any key up to \`last\`: those that see it come before those that do not. */
fn lastSeeing(last: u32) -> u32 {
  var low = last;
  var high = p.tokens;
  while (high - low > 1u) {
    let middle = (low + high) / 2u;
    if (firstVisible(middle) <= last) { low = middle; } else { high = middle; }
  }
  return low;
}`,
    body: /* wgsl */ `
  let lane = thread % 16u;
  let quad = thread / 16u;
  let first = group.x * 64u;
  leftBegin = first;
  keyHead = group.y;
  let end = (lastSeeing(min(first + 64u, p.tokens) - 1u) + 1u) * sharing;
  let keys = vec4u(first + 4u * quad) + vec4u(0u, 1u, 2u, 3u);
  for (var begin = first * sharing; begin < end; begin += 32u) {
    rightBegin = begin;
    let products = scores(thread);
    let slopes = gradients(thread);
    var chances: mat2x4f;
    var changes: mat2x4f;
    for (var i = 0u; i < 2u; i++) {
      let row = lane + 16u * i;
      let token = min(begin + row, end - 1u) / sharing;
      let term = terms[headRow(row)];
      let seen = (keys >= vec4u(firstVisible(token))) & (keys <= vec4u(token))
        & vec4<bool>(begin + row < end);
      let chance = exp(min(products[i] * p.scale - term.x, vec4f(80.0)));
      chances[i] = select(vec4f(), chance, seen);
      changes[i] = chances[i] * (slopes[i] * p.valueScale - term.y) * p.scale;
    }
    let count = min(32u, end - begin);
    keepWeights(thread, chances[0], chances[1]);
    addGradients(thread, count);
    keepWeights(thread, changes[0], changes[1]);
    addQueries(thread, count);
  }
  ${storeSums(
    { target: 'toKey', size: options.keyDim, array: 'dKey' },
    {
      row: '((first + 4u * quad + i) * keyValueHeads + keyHead) * keyDim',
      valid: 'first + 4u * quad + i < p.tokens',
      factor: '1.0',
    },
  )}
  ${storeSums(
    { target: 'toValue', size: options.valueDim, array: 'dValue' },
    {
      row: '((first + 4u * quad + i) * keyValueHeads + keyHead) * valueDim',
      valid: 'first + 4u * quad + i < p.tokens',
      factor: 'p.valueScale',
    },
  )}`,
  }),
);

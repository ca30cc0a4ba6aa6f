/**
 * Attention with the softmax kept up to date key by key (Milakov & Gimelshein 2018, as in Flash
 * attention): when a larger score turns up, what has been summed fades by exp(old − new).
 *
 * First come the keys of this call, from the first that the block's first token sees to the block's
 * last token; a mask leaves out what belongs to another document or lies beyond the window. With a
 * past, each sequence in the block then goes over its own held positions.
 */
import { program, programs, unroll } from '../../program.ts';
import { cacheElement, cacheReader } from '../cache-format.ts';
import { planReader } from './plan.ts';
import {
  attentionThreads,
  declareSums,
  firstVisible,
  type Heads,
  nothing,
  product,
  queryRows,
  storeSums,
  tileMemory,
  weightedSum,
} from './tile.ts';

export interface ForwardOptions extends Heads {
  sinks: boolean;
  /** Whether there is a past; rowStart and sinks are then in the plan. */
  past: boolean;
  /** Whether the past is in f16. */
  halves: boolean;
}

/** What attention reads and writes; `element`: how rows of heads are read. At most eight are bound. */
export function forwardBindings(
  element: 'f32' | 'vec4f',
  { past, sinks, halves }: { past: boolean; sinks: boolean; halves: boolean },
) {
  const read = `read ${element}` as const;
  const held = `read ${cacheElement(element, halves)}` as const;
  return {
    query: read,
    key: read,
    value: read,
    rowStart: past ? null : 'read i32',
    sinks: !past && sinks ? 'read f32' : null,
    heldKeys: past ? held : null,
    heldValues: past ? held : null,
    plan: past ? 'read i32' : null,
    out: `write ${element}`,
    logSumExp: 'write f32',
  } as const;
}

export const forwardParameters = {
  tokens: 'u32',
  window: 'i32',
  scale: 'f32',
  valueScale: 'f32',
  pageSize: 'u32',
  tableWidth: 'u32',
  sinksBegin: 'u32',
} as const;

export const attentionForward = programs((options: ForwardOptions) => {
  const { past, keyDim, valueDim } = options;
  return program({
    name: past ? 'attentionPast' : 'attention',
    bindings: forwardBindings('f32', options),
    parameters: forwardParameters,
    threads: attentionThreads,
    head: /* wgsl */ `
${tileMemory(options)}
${declareSums('sum', valueDim)}
var<private> largest = vec4f(${nothing});
var<private> total = vec4f();
var<private> fromPast = false;
${past ? planReader : firstVisible}
${past ? heldReaders('f32', options.halves) : ''}
${past ? pastRows : ownRows}
${queryRows('queryAt', 'query', 'keyDim')}
${product('scores', keyDim, 'queryAt', 'keyAt')}
${weightedSum('addValues', { target: 'sum', size: valueDim, array: 'value', row: 'valueRow' })}
${
  past
    ? weightedSum('addHeld', {
        target: 'sum',
        size: valueDim,
        array: 'heldValues',
        element: (place) => `heldValuesAt(${place})`,
        row: 'valueRow',
      })
    : ''
}
${sinkReader(options)}

/** Takes in \`count\` keys, of which the thread's rows see those in \`seen0\` and \`seen1\`. */
fn attend(thread: u32, count: u32, seen0: vec4<bool>, seen1: vec4<bool>) {
  let products = scores(thread);
  let score0 = select(vec4f(${nothing}), products[0] * p.scale, seen0);
  let score1 = select(vec4f(${nothing}), products[1] * p.scale, seen1);
  workgroupBarrier();
  leftSlice[thread % 16u * 17u + thread / 16u] = max(score0, score1);
  workgroupBarrier();
  var most = largest;
  for (var i = 0u; i < 16u; i++) { most = max(most, leftSlice[i * 17u + thread / 16u]); }
  let fade = exp(largest - most);
  let weight0 = select(vec4f(), exp(score0 - most), seen0);
  let weight1 = select(vec4f(), exp(score1 - most), seen1);
  largest = most;
  total = total * fade + weight0 + weight1;
  ${unroll(Math.ceil(valueDim / 16), (c) => `sum${c} *= fade;`)}
  keepWeights(thread, weight0, weight1);
  ${past ? 'if (fromPast) { addHeld(thread, count); } else { addValues(thread, count); }' : 'addValues(thread, count);'}
}`,
    body: /* wgsl */ `
  let lane = thread % 16u;
  let quad = thread / 16u;
  leftBegin = group.x * blockTokens;
  keyHead = group.y;
  let first = group.x * blockTokens;
  let last = min(first + blockTokens, p.tokens) - 1u;
  var tokens: vec4u;
  var begins: vec4u;
  for (var i = 0u; i < 4u; i++) {
    tokens[i] = min(first + (4u * quad + i) / sharing, last);
    begins[i] = firstVisible(tokens[i]);
  }
  for (var begin = firstVisible(first); begin <= last; begin += 32u) {
    rightBegin = begin;
    ${past ? 'locateOwn(thread, begin);' : ''}
    let k = begin + lane;
    attend(
      thread,
      min(32u, last + 1u - begin),
      (vec4u(k) >= begins) & (vec4u(k) <= tokens),
      (vec4u(k + 16u) >= begins) & (vec4u(k + 16u) <= tokens),
    );
  }
  ${past ? overPast : ''}
  workgroupBarrier();
  leftSlice[lane * 17u + quad] = total;
  workgroupBarrier();
  var all = vec4f();
  for (var i = 0u; i < 16u; i++) { all += leftSlice[i * 17u + quad]; }
  var factors: vec4f;
  for (var i = 0u; i < 4u; i++) {
    let row = 4u * quad + i;
    let head = keyHead * sharing + row % sharing;
    let sink = sinkOf(head);
    let most = max(largest[i], sink);
    let rowTotal = most + log(all[i] * exp(largest[i] - most) + exp(sink - most));
    factors[i] = p.valueScale * exp(largest[i] - rowTotal);
    let token = first + row / sharing;
    if (lane == 0u && row < blockTokens * sharing && token <= last) {
      logSumExp[token * heads + head] = rowTotal;
    }
  }
  ${storeSums(
    { target: 'sum', size: valueDim, array: 'out' },
    {
      row: '((first + (4u * quad + i) / sharing) * heads + keyHead * sharing + (4u * quad + i) % sharing) * valueDim',
      valid: '4u * quad + i < blockTokens * sharing && first + (4u * quad + i) / sharing <= last',
      factor: 'factors[i]',
    },
  )}`,
  });
});

/** A function for the logit of a head's sink, or for one that weighs nothing. */
export function sinkReader({ past, sinks }: { past: boolean; sinks: boolean }): string {
  if (!sinks) return `fn sinkOf(head: u32) -> f32 { return ${nothing}; }`;
  if (past) {
    return 'fn sinkOf(head: u32) -> f32 { return bitcast<f32>(plan[p.sinksBegin + head]); }';
  }
  return 'fn sinkOf(head: u32) -> f32 { return sinks[head]; }';
}

/** Functions that read keys and values of the past. */
export const heldReaders = (unit: 'f32' | 'vec4f', halves: boolean) =>
  [
    cacheReader('heldKeysAt', 'heldKeys', unit, halves),
    cacheReader('heldValuesAt', 'heldValues', unit, halves),
  ].join('\n');

/** Without a past, row i on the right is row rightBegin + i of this call. */
const ownRows = /* wgsl */ `
fn rowAt(i: u32) -> u32 { return min(rightBegin + i, p.tokens - 1u) * keyValueHeads + keyHead; }
fn keyAt(i: u32, d: u32) -> f32 { return key[rowAt(i) * keyDim + d]; }
fn valueRow(i: u32) -> u32 { return rowAt(i) * valueDim; }`;

/** With one, the rows are looked up once for all threads. */
const pastRows = /* wgsl */ `
var<workgroup> located: array<u32, 32>;
fn keyAt(i: u32, d: u32) -> f32 {
  let at = located[i] * keyDim + d;
  if (fromPast) { return heldKeysAt(at); }
  return key[at];
}
fn valueRow(i: u32) -> u32 { return located[i] * valueDim; }
fn locateOwn(thread: u32, begin: u32) {
  workgroupBarrier();
  if (thread < 32u) { located[thread] = min(begin + thread, p.tokens - 1u) * keyValueHeads + keyHead; }
  workgroupBarrier();
}
fn locateHeld(thread: u32, sequence: i32, begin: u32, end: u32) {
  workgroupBarrier();
  if (thread < 32u) {
    located[thread] = heldRow(sequence, min(begin + thread, end - 1u)) * keyValueHeads + keyHead;
  }
  workgroupBarrier();
}`;

const overPast = /* wgsl */ `
  fromPast = true;
  var token = first;
  while (token <= last) {
    let sequence = sequenceOf(token);
    let held = heldBy(token);
    var next = token + 1u;
    while (next <= last) {
      if (sequenceOf(next) != sequence) { break; }
      next++;
    }
    let own = (tokens >= vec4u(token)) & (tokens < vec4u(next));
    var heldBegins: vec4u;
    for (var i = 0u; i < 4u; i++) { heldBegins[i] = firstHeld(tokens[i]); }
    for (var begin = firstHeld(token); begin < held; begin += 32u) {
      locateHeld(thread, sequence, begin, held);
      let k = begin + lane;
      attend(
        thread,
        min(32u, held - begin),
        own & (vec4u(k) >= heldBegins) & vec4<bool>(k < held),
        own & (vec4u(k + 16u) >= heldBegins) & vec4<bool>(k + 16u < held),
      );
    }
    token = next;
  }`;

/**
 * Attention of few rows to a long past, as in decoding. A workgroup has one token and the query heads
 * that share a key head. The keys of a token are split into parts if there are not enough tokens to
 * keep a GPU busy; each part then leaves its own softmax, and one more pass puts the parts together.
 */
import type { AttentionShape, PastKeys } from '../../../../tensor/kernels.ts';
import type { Tensor } from '../../../../tensor/tensor.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { cacheElement, inHalves } from '../cache-format.ts';
import { heldReaders } from './forward.ts';
import { type Plan, planReader } from './plan.ts';
import { type Heads, headsOf, nothing, windowOf } from './tile.ts';

/** Query heads that may share a key head, by the workgroup's memory. */
export const mostSharedHeads = 16;

const threads = 128;
/** Keys at a time; four threads share the product with each. */
const tileKeys = 32;
/** Keys that are worth a workgroup. */
const keysPerPart = 256;
/** Workgroups that keep a large GPU busy. */
const enoughGroups = 512;

interface Options extends Heads {
  sinks: boolean;
  /** Whether keys are split into parts, to be put together by `mergeParts`. */
  split: boolean;
  /** Whether the past is in f16. */
  halves: boolean;
}

const decode = programs((options: Options) => {
  const { heads, keyValueHeads, keyDim, valueDim, split, sinks, halves } = options;
  const group = heads / keyValueHeads;
  // Threads side by side take columns; where there are fewer columns than threads, the keys are shared.
  const columnLanes = Math.min(threads, 2 ** Math.ceil(Math.log2(valueDim)));
  const columnsPerLane = Math.ceil(valueDim / columnLanes);
  const keyLanes = threads / columnLanes;
  const eachSum = (piece: (head: number, c: number) => string) =>
    unroll(group * columnsPerLane, (i) => piece(i % group, Math.floor(i / group)));
  return program({
    name: 'attentionDecode',
    bindings: {
      query: 'read f32',
      key: 'read f32',
      value: 'read f32',
      heldKeys: `read ${cacheElement('f32', halves)}`,
      heldValues: `read ${cacheElement('f32', halves)}`,
      plan: 'read i32',
      out: 'write f32',
      /** logSumExp, or (largest, total) of each part. */
      state: split ? 'write vec2f' : 'write f32',
    },
    parameters: {
      tokens: 'u32',
      scale: 'f32',
      valueScale: 'f32',
      pageSize: 'u32',
      tableWidth: 'u32',
      sinksBegin: 'u32',
    },
    threads,
    head: /* wgsl */ `
${planReader}
${heldReaders('f32', halves)}
const own = 0x80000000u;
var<workgroup> located: array<u32, ${tileKeys}>;
var<workgroup> parts: array<f32, ${group * threads}>;
var<workgroup> scores: array<f32, ${group * tileKeys}>;
var<workgroup> largest: array<f32, ${group}>;
var<workgroup> fade: array<f32, ${group}>;
var<workgroup> total: array<f32, ${group}>;`,
    body: /* wgsl */ `
  let token = group.y;
  let keyHead = group.z;
  let firstHead = token * ${heads}u + keyHead * ${group}u;
  let sequence = sequenceOf(token);
  let heldBegin = firstHeld(token);
  let heldCount = max(heldBy(token), heldBegin) - heldBegin;
  let ownBegin = firstVisible(token);
  let count = heldCount + token + 1u - ownBegin;
  let perPart = (count + groups.x - 1u) / groups.x;
  let begin = min(group.x * perPart, count);
  let end = min(begin + perPart, count);
  let column = thread % ${columnLanes}u;
  let keyLane = thread / ${columnLanes}u;
  ${eachSum((h, c) => `var sum${h}x${c} = 0.0;`)}
  if (thread < ${group}u) {
    largest[thread] = ${nothing};
    total[thread] = 0.0;
  }

  for (var tile = begin; tile < end; tile += ${tileKeys}u) {
    workgroupBarrier();
    if (thread < ${tileKeys}u) {
      let i = min(tile + thread, end - 1u);
      if (i < heldCount) { located[thread] = heldRow(sequence, heldBegin + i); }
      else { located[thread] = own | (ownBegin + i - heldCount); }
    }
    workgroupBarrier();
    {
      let at = located[thread / 4u];
      let row = ((at & ~own) * ${keyValueHeads}u + keyHead) * ${keyDim}u;
      ${unroll(group, (h) => `var product${h} = 0.0;`)}
      for (var d = thread % 4u; d < ${keyDim}u; d += 4u) {
        var k: f32;
        if (at >= own) { k = key[row + d]; } else { k = heldKeysAt(row + d); }
        ${unroll(group, (h) => `product${h} += k * query[(firstHead + ${h}u) * ${keyDim}u + d];`)}
      }
      ${unroll(group, (h) => `parts[${h * threads}u + thread] = product${h};`)}
    }
    workgroupBarrier();
    for (var i = thread; i < ${group * tileKeys}u; i += threads) {
      let score = parts[4u * i] + parts[4u * i + 1u] + parts[4u * i + 2u] + parts[4u * i + 3u];
      scores[i] = select(${nothing}, score * p.scale, tile + i % ${tileKeys}u < end);
    }
    workgroupBarrier();
    if (thread < ${group}u) {
      var most = largest[thread];
      for (var i = 0u; i < ${tileKeys}u; i++) { most = max(most, scores[thread * ${tileKeys}u + i]); }
      fade[thread] = exp(largest[thread] - most);
      largest[thread] = most;
    }
    workgroupBarrier();
    for (var i = thread; i < ${group * tileKeys}u; i += threads) {
      scores[i] = exp(scores[i] - largest[i / ${tileKeys}u]);
    }
    workgroupBarrier();
    if (thread < ${group}u) {
      var sum = total[thread] * fade[thread];
      for (var i = 0u; i < ${tileKeys}u; i++) { sum += scores[thread * ${tileKeys}u + i]; }
      total[thread] = sum;
    }
    ${eachSum((h, c) => `sum${h}x${c} *= fade[${h}];`)}
    for (var i = keyLane; i < min(${tileKeys}u, end - tile); i += ${keyLanes}u) {
      let at = located[i];
      let row = ((at & ~own) * ${keyValueHeads}u + keyHead) * ${valueDim}u + column;
      ${unroll(
        columnsPerLane,
        (c) => /* wgsl */ `
      if (column + ${c * columnLanes}u < ${valueDim}u) {
        var v: f32;
        if (at >= own) { v = value[row + ${c * columnLanes}u]; }
        else { v = heldValuesAt(row + ${c * columnLanes}u); }
        ${unroll(group, (h) => `sum${h}x${c} += scores[${h * tileKeys}u + i] * v;`)}
      }`,
      )}
    }
  }

  ${unroll(
    columnsPerLane,
    (c) => /* wgsl */ `
  workgroupBarrier();
  ${unroll(group, (h) => `parts[${h * threads}u + thread] = sum${h}x${c};`)}
  workgroupBarrier();
  if (keyLane == 0u && column + ${c * columnLanes}u < ${valueDim}u) {
    for (var head = 0u; head < ${group}u; head++) {
      var sum = 0.0;
      for (var i = 0u; i < ${keyLanes}u; i++) {
        sum += parts[head * threads + i * ${columnLanes}u + column];
      }
      let most = largest[head];
      ${
        split
          ? /* wgsl */ `
      let row = (firstHead + head) * groups.x + group.x;
      out[row * ${valueDim}u + column + ${c * columnLanes}u] = sum;
      if (column == 0u) { state[row] = vec2f(most, total[head]); }`
          : /* wgsl */ `
      let sink = ${sinks ? `bitcast<f32>(plan[p.sinksBegin + keyHead * ${group}u + head])` : nothing};
      let all = max(most, sink);
      let rowTotal = all + log(total[head] * exp(most - all) + exp(sink - all));
      out[(firstHead + head) * ${valueDim}u + column + ${c * columnLanes}u] =
        sum * p.valueScale * exp(most - rowTotal);
      if (column == 0u) { state[firstHead + head] = rowTotal; }`
      }
    }
  }`,
  )}`,
  });
});

/** A workgroup a row of one head: the parts' softmaxes as one, with the sink. */
const mergeParts = programs(({ sinks }: { sinks: boolean }) =>
  program({
    name: 'attentionMerge',
    bindings: {
      parts: 'read f32',
      states: 'read vec2f',
      sinks: sinks ? 'read f32' : null,
      out: 'write f32',
      logSumExp: 'write f32',
    },
    parameters: { heads: 'u32', count: 'u32', columns: 'u32', valueScale: 'f32' },
    threads: 64,
    body: /* wgsl */ `
  let row = group.y * p.heads + group.x;
  let sink = ${sinks ? 'sinks[group.x]' : nothing};
  var most = sink;
  for (var i = 0u; i < p.count; i++) { most = max(most, states[row * p.count + i].x); }
  var total = exp(sink - most);
  for (var i = 0u; i < p.count; i++) {
    let state = states[row * p.count + i];
    total += state.y * exp(state.x - most);
  }
  let rowTotal = most + log(total);
  for (var column = thread; column < p.columns; column += threads) {
    var sum = 0.0;
    for (var i = 0u; i < p.count; i++) {
      let part = row * p.count + i;
      sum += parts[part * p.columns + column] * exp(states[part].x - rowTotal);
    }
    out[row * p.columns + column] = p.valueScale * sum;
  }
  if (thread == 0u) { logSumExp[row] = rowTotal; }`,
  }),
);

export function runDecoding(
  runtime: Runtime,
  a: AttentionShape & {
    query: Tensor;
    key: Tensor;
    value: Tensor;
    sinks: Tensor | null;
    past: PastKeys;
    out: Tensor;
    logSumExp: Tensor;
  },
  { plan, parameters }: Plan,
): void {
  const { query, key, value, past, sinks, out, logSumExp, scale, valueScale } = a;
  const tokens = query.rows;
  const mostKeys = Math.min(windowOf(a), past.table.columns * past.pageSize + tokens);
  const parts = Math.min(
    Math.ceil(mostKeys / keysPerPart),
    Math.max(1, Math.floor(enoughGroups / (tokens * a.keyValueHeads))),
  );
  const split = parts > 1;
  const partial = split ? runtime.scratch([tokens, a.heads, parts, a.valueDim]) : out;
  const state = split ? runtime.scratch([tokens, a.heads, parts, 2]) : logSumExp;
  runtime.run(
    decode({ ...headsOf(a), sinks: sinks !== null, split, halves: inHalves(past.keys) }),
    {
      ...{ query, key, value, plan, out: partial, state },
      heldKeys: past.keys,
      heldValues: past.values,
    },
    { tokens, scale, valueScale, ...parameters },
    [parts, tokens, a.keyValueHeads],
  );
  if (!split) return;
  runtime.run(
    mergeParts({ sinks: sinks !== null }),
    { parts: partial, states: state, sinks, out, logSumExp },
    { heads: a.heads, count: parts, columns: a.valueDim, valueScale },
    [a.heads, tokens, 1],
  );
}

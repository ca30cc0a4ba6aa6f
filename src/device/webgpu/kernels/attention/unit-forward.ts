/**
 * Attention on matrix units: see `unit-block.ts`. Weights are exp(score − largest), where `largest` is
 * a score that the row has seen. As in `forward.ts` sums fade when a larger one turns up, but only if
 * it is larger by `patience`: sums lie in registers, from where it is a long way to each row. So
 * weights stay below exp(patience), which f16 holds, and most blocks never fade.
 */
import { matrixUnitDirectives } from '../../matrix-units.ts';
import { program, programs, unroll } from '../../program.ts';
import {
  type ForwardOptions,
  forwardBindings,
  forwardParameters,
  heldReaders,
  sinkReader,
} from './forward.ts';
import { planReader } from './plan.ts';
import { firstVisible, nothing } from './tile.ts';
import {
  addWeighted,
  blockRows,
  eachScore,
  eachSum,
  lanes,
  leftUnits,
  scoreColumns,
  type UnitHeads,
  unitMemory,
  unitScores,
  unitSums,
  unitThreads,
} from './unit-block.ts';
import { keyRowsOf, loadFirst, loadSlices, queryRowsOf } from './unit-slices.ts';

const patience = '8.0';

export interface UnitForwardOptions extends UnitHeads, ForwardOptions {}

export const unitForward = programs((options: UnitForwardOptions) => {
  const { past, keyDim, valueDim } = options;
  return program({
    name: past ? 'attentionPastUnits' : 'attentionUnits',
    directives: matrixUnitDirectives,
    bindings: forwardBindings('vec4f', options),
    parameters: forwardParameters,
    threads: unitThreads(options),
    head: /* wgsl */ `
${unitMemory(options)}
var<workgroup> raised: array<u32, 4>;
${past ? planReader : firstVisible}
${sinkReader(options)}
fn loadKeys(thread: u32) {
  ${loadSlices(options, keyRowsOf('key'), keyRowsOf('value'))}
}
${past ? heldReaders('vec4f', options.halves) + heldRows(options) : ''}`,
    body: /* wgsl */ `
  let first = group.x * blockTokens;
  let last = min(first + blockTokens, p.tokens) - 1u;
  keyHead = group.y;
  queryBegin = first * sharing;
  queryEnd = (last + 1u) * sharing;
  ${lanes(options)}
  ${loadFirst(options, queryRowsOf('query'))}
  workgroupBarrier();
  ${leftUnits(options, 'query', 'firstSlice', keyDim)}
  ${unitSums(options, 'sum', valueDim)}
  let token = min((queryBegin + row) / sharing, last);
  var largest = ${nothing};
  var total = 0.0;
  ${past ? overSegments(options) : overOwn(options)}
  ${overLanes(options, (other) => `total += ${other('total')};`)}
  let sink = sinkOf(keyHead * sharing + (queryBegin + row) % sharing);
  let most = max(largest, sink);
  let rowTotal = most + log(total * exp(largest - most) + exp(sink - most));
  let factor = p.valueScale * exp(largest - rowTotal);
  let stored = queryBegin + row < queryEnd;
  if (part == 0u && stored) { logSumExp[queryHead(row)] = rowTotal; }
  ${eachSum(
    options,
    { sum: 'sum', size: valueDim, keep: false },
    (at, quad) =>
      `if (stored) { out[queryHead(row) * ${valueDim / 4}u + ${quad}] = scores[${at}] * factor; }`,
  )}`,
  });
});

/** Combines a value with those of the other lanes of the same row. */
function overLanes(
  { units }: UnitHeads,
  combine: (other: (value: string) => string) => string,
): string {
  return unroll(Math.log2(units.subgroupSize / 16), (i) =>
    combine((value) => `subgroupShuffleXor(${value}, ${2 ** i}u)`),
  );
}

/** Keys of this call: from the first that the block's first token sees to the block's last token. */
function overOwn(options: UnitForwardOptions): string {
  return /* wgsl */ `
  let seesFirst = firstVisible(token);
  let seesLast = token;
  for (var begin = firstVisible(first); begin <= last; begin += ${blockRows}u) {
    keyBegin = begin;
    workgroupBarrier();
    loadKeys(thread);
    workgroupBarrier();
    ${unroll(blockRows / scoreColumns, (half) => attend(options, half * scoreColumns))}
  }`;
}

/** The same, and then the held positions of each sequence in the block. */
function overSegments(options: UnitForwardOptions): string {
  return /* wgsl */ `
  var fromPast = false;
  var next = first;
  while (next <= last) {
    var begin = firstVisible(first);
    var end = last + 1u;
    var seesFirst = firstVisible(token);
    var seesLast = token;
    let sequence = sequenceOf(next);
    if (fromPast) {
      let firstToken = next;
      begin = firstHeld(firstToken);
      end = heldBy(firstToken);
      next++;
      while (next <= last) {
        if (sequenceOf(next) != sequence) { break; }
        next++;
      }
      let own = token >= firstToken && token < next && end > 0u;
      seesFirst = select(1u, firstHeld(token), own);
      seesLast = select(0u, end - 1u, own);
    }
    for (; begin < end; begin += ${blockRows}u) {
      keyBegin = begin;
      workgroupBarrier();
      if (fromPast) { loadHeld(thread, sequence, end); } else { loadKeys(thread); }
      workgroupBarrier();
      ${unroll(blockRows / scoreColumns, (half) => attend(options, half * scoreColumns))}
    }
    fromPast = true;
  }`;
}

function heldRows(options: UnitForwardOptions): string {
  const held = (array: string) => ({
    element: (place: string) => `${array}At(${place})`,
    source: (row: string) =>
      `heldRow(sequence, min(keyBegin + ${row}, end - 1u)) * keyValueHeads + keyHead`,
  });
  return /* wgsl */ `
fn loadHeld(thread: u32, sequence: i32, end: u32) {
  ${loadSlices(options, held('heldKeys'), held('heldValues'))}
}`;
}

/** Takes in the keys of the slice from `offset` on, of which a row sees seesFirst to seesLast. */
function attend(options: UnitForwardOptions, offset: number): string {
  const { keyDim, valueDim } = options;
  return /* wgsl */ `{
    ${unitScores(options, 'scores', { left: 'query', slice: 'firstSlice', size: keyDim, begin: offset })}
    workgroupBarrier();
    var high = ${nothing};
    ${eachScore(
      options,
      ({ index, at, column }) => /* wgsl */ `
    let key${index} = vec4u(keyBegin + ${offset}u + ${column}) + vec4u(0u, 1u, 2u, 3u);
    let seen${index} = (key${index} >= vec4u(seesFirst)) & (key${index} <= vec4u(seesLast));
    let score${index} = select(vec4f(${nothing}), scores[${at}] * p.scale, seen${index});
    high = max(high, max(max(score${index}.x, score${index}.y), max(score${index}.z, score${index}.w)));`,
    )}
    ${overLanes(options, (other) => `high = max(high, ${other('high')});`)}
    let fresh = largest == ${nothing};
    var fade = 1.0;
    if (high > largest + select(${patience}, 0.0, fresh)) {
      fade = exp(largest - high);
      largest = high;
    }
    total *= fade;
    ${eachScore(
      options,
      ({ index, weightAt }) => /* wgsl */ `
    let weight${index} = select(vec4f(), exp(score${index} - largest), seen${index});
    total += dot(weight${index}, vec4f(1.0));
    weights[${weightAt}] = vec4<f16>(weight${index});`,
    )}
    let fades = subgroupAny(fade < 1.0 && !fresh);
    if (lane == 0u) { raised[ownRow / 16u] = select(0u, 1u, fades); }
    // Also the barrier between weights and their use.
    let anyRaised = workgroupUniformLoad(&raised);
    if ((anyRaised[0] | anyRaised[1] | anyRaised[2] | anyRaised[3]) != 0u) {
      ${eachSum(options, { sum: 'sum', size: valueDim, keep: true }, (at) => `scores[${at}] *= fade;`)}
    }
    ${addWeighted(options, 'sum', { slice: 'secondSlice', size: valueDim, begin: offset })}
  }`;
}

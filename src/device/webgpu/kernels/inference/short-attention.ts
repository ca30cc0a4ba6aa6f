/**
 * Attention to few keys and the output projection in one dispatch. With few rows, the keys that a row sees
 * come out of the cache faster than one dispatch can wait for another, so every workgroup reads all of
 * them. All scores of a row fit its memory, and the softmax is taken in one go.
 */
import { program, programs, unroll } from '../../program.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { type Heads, nothing } from '../attention/tile.ts';
import { cacheReading, cacheRowParameters } from './cache-rows.ts';
import { laneLargest, laneSums } from './lanes.ts';
import {
  addProjection,
  type Projection,
  projectionElement,
  projectionMemory,
} from './output-projection.ts';
import { innerDot, innerElement, innerUnits, innerZero, isVector } from './products.ts';

/** Keys of a thread that are on their way at a time, and values. */
const keyRounds = 4;
const valueRounds = 8;

export interface ShortAttention extends Heads, Projection {
  /** Most keys of a row, which are the last ones. */
  mostKeys: number;
  scale: number;
  valueScale: number;
  pageSize: number;
  sinks: boolean;
  /** Whether the cache is in f16. */
  halves: boolean;
}

function sizesOf({ heads, keyDim, valueDim, threads }: ShortAttention) {
  const valueUnits = innerUnits(valueDim);
  const valueColumns = heads * valueUnits;
  // Threads side by side take columns of values, and the keys are shared among what is left.
  const columnLanes = Math.min(threads, 2 ** Math.ceil(Math.log2(valueColumns)));
  return {
    lanes: keyDim > 128 ? 16 : 8,
    /** Threads of a head in the softmax. */
    headLanes: 2 ** Math.floor(Math.log2(threads / heads)),
    ...{ valueUnits, valueColumns, columnLanes, keyLanes: threads / columnLanes },
  };
}

/** Scores whose sums are taken together: fewer without subgroups, for the sake of memory. */
const roundsTogether = ({ subgroupSize }: ShortAttention) => (subgroupSize > 1 ? keyRounds : 1);

/** Memory of a workgroup in bytes. */
export function shortAttentionBytes(options: ShortAttention): number {
  const { heads, keyValueHeads, keyDim, valueDim, mostKeys, threads, subgroupSize } = options;
  const laneParts = (threads / subgroupSize) * roundsTogether(options) * (heads / keyValueHeads);
  const sums = threads * (isVector(valueDim) ? 4 : 1);
  return 4 * (heads * (keyDim + valueDim + mostKeys + 1) + mostKeys + laneParts + sums);
}

export const shortAttention = programs((options: ShortAttention) => {
  const { heads, keyValueHeads, keyDim, valueDim, mostKeys } = options;
  const { scale, valueScale, sinks, threads, subgroupSize } = options;
  const { lanes, headLanes, valueUnits, valueColumns, columnLanes, keyLanes } = sizesOf(options);
  const sharing = heads / keyValueHeads;
  const keyUnits = innerUnits(keyDim);
  const steps = Math.ceil(keyUnits / lanes);
  const perRound = threads / lanes;
  const [keyElement, valueElement] = [innerElement(keyDim), innerElement(valueDim)];
  const ofKeys = { lanes, threads, subgroupSize };
  const ofHeads = { lanes: headLanes, threads, subgroupSize };
  const together = roundsTogether(options);
  const scoreNames = Array.from({ length: keyRounds / together }, (_, batch) =>
    Array.from({ length: together * sharing }, (_, i) => {
      return `score${batch * together + Math.floor(i / sharing)}x${i % sharing}`;
    }),
  );
  const reading = cacheReading(options);
  return program({
    name: 'shortAttention',
    directives: subgroupDirectives(subgroupSize),
    bindings: {
      ...reading.bindings,
      sinks: sinks ? 'read f32' : null,
      weight: `read ${projectionElement(options)}`,
      out: 'write f32',
    },
    parameters: cacheRowParameters,
    keepsParameters: true,
    threads,
    head: /* wgsl */ `${reading.head}
${projectionMemory(options, Math.max(lanes, headLanes), together * sharing)}
var<workgroup> located: array<u32, ${mostKeys}>;
var<workgroup> queries: array<${keyElement}, ${heads * keyUnits}>;
var<workgroup> scores: array<f32, ${heads * mostKeys}>;
var<workgroup> factors: array<f32, ${heads}>;
var<workgroup> sums: array<${valueElement}, ${threads}>;`,
    body: /* wgsl */ `
  let row = group.y;
  let sequence = sequenceOf(row);
  let seenEnd = positionOf(row) + 1u;
  let seenBegin = max(seenEnd, ${mostKeys}u) - ${mostKeys}u;
  let count = seenEnd - seenBegin;
  for (var i = thread; i < count; i += threads) { located[i] = cacheRow(sequence, seenBegin + i); }
  for (var i = thread; i < ${heads * keyUnits}u; i += threads) {
    queries[i] = query[row * ${heads * keyUnits}u + i];
  }
  workgroupBarrier();

  // Lanes share the products of a key with the queries that share it.
  for (var first = 0u; first < count * ${keyValueHeads}u; first += ${keyRounds * perRound}u) {
    let lane = thread % ${lanes}u;
    ${unroll(
      keyRounds,
      (r) => /* wgsl */ `
    let item${r} = first + ${r * perRound}u + thread / ${lanes}u;
    let key${r} = min(item${r} / ${keyValueHeads}u, count - 1u);
    let keyHead${r} = item${r} % ${keyValueHeads}u;
    let begin${r} = (located[key${r}] * ${keyValueHeads}u + keyHead${r}) * ${keyUnits}u;
    ${unroll(steps, (s) => `let key${r}x${s} = keysAt(begin${r} + min(${s * lanes}u + lane, ${keyUnits - 1}u));`)}`,
    )}
    ${unroll(keyRounds * sharing, (i) => {
      const [r, h] = [Math.floor(i / sharing), i % sharing];
      const terms = Array.from({ length: steps }, (_, s) => {
        const unit = `${s * lanes}u + lane`;
        const query = `queries[(keyHead${r} * ${sharing}u + ${h}u) * ${keyUnits}u + min(${unit}, ${keyUnits - 1}u)]`;
        const inside = (s + 1) * lanes <= keyUnits;
        const own = inside
          ? query
          : `select(${innerZero(keyDim)}, ${query}, ${unit} < ${keyUnits}u)`;
        return innerDot(keyDim, own, `key${r}x${s}`);
      });
      return `var score${r}x${h} = ${terms.join(' + ')};`;
    })}
    ${scoreNames.map((names) => laneSums(names, ofKeys)).join('\n')}
    ${unroll(keyRounds * sharing, (i) => {
      const [r, h] = [Math.floor(i / sharing), i % sharing];
      return /* wgsl */ `
    if (lane == ${h % lanes}u && item${r} < count * ${keyValueHeads}u) {
      scores[(keyHead${r} * ${sharing}u + ${h}u) * ${mostKeys}u + key${r}] = score${r}x${h} * ${scale};
    }`;
    })}
  }
  workgroupBarrier();

  {
    let lane = thread % ${headLanes}u;
    let head = min(thread / ${headLanes}u, ${heads - 1}u);
    let isHead = thread < ${heads * headLanes}u;
    let begin = head * ${mostKeys}u;
    let sink = ${sinks ? 'sinks[head]' : nothing};
    var largest = sink;
    for (var i = lane; i < count; i += ${headLanes}u) { largest = max(largest, scores[begin + i]); }
    ${laneLargest(['largest'], ofHeads)}
    var total = 0.0;
    if (isHead) {
      for (var i = lane; i < count; i += ${headLanes}u) {
        let weight = exp(scores[begin + i] - largest);
        scores[begin + i] = weight;
        total += weight;
      }
    }
    ${laneSums(['total'], ofHeads)}
    if (isHead && lane == 0u) { factors[head] = ${valueScale} / (total + exp(sink - largest)); }
  }
  workgroupBarrier();

  for (var first = 0u; first < ${valueColumns}u; first += ${columnLanes}u) {
    let column = first + thread % ${columnLanes}u;
    let keyLane = thread / ${columnLanes}u;
    let head = min(column / ${valueUnits}u, ${heads - 1}u);
    let unit = (head / ${sharing}u) * ${valueUnits}u + column % ${valueUnits}u;
    var sum = ${innerZero(valueDim)};
    for (var at = keyLane; at < count; at += ${valueRounds * keyLanes}u) {
      ${unroll(
        valueRounds,
        (i) => /* wgsl */ `
      let key${i} = min(at + ${i * keyLanes}u, count - 1u);
      let value${i} = valuesAt(located[key${i}] * ${keyValueHeads * valueUnits}u + unit);`,
      )}
      ${unroll(
        valueRounds,
        (i) => /* wgsl */ `
      if (at + ${i * keyLanes}u < count) { sum += scores[head * ${mostKeys}u + key${i}] * value${i}; }`,
      )}
    }
    sums[thread] = sum;
    workgroupBarrier();
    if (thread < ${columnLanes}u && column < ${valueColumns}u) {
      for (var i = 1u; i < ${keyLanes}u; i++) { sum += sums[i * ${columnLanes}u + thread]; }
      mixed[column] = sum * factors[head];
    }
    workgroupBarrier();
  }
  ${addProjection(options)}`,
  });
});

/**
 * Attention of few rows to a cache. A workgroup has one row and up to four of the query heads that
 * share a key head; it takes the keys in tiles, with the softmax rescaled from tile to tile. Where there
 * are too few rows for the keys that may be there, the keys are split into parts, each with a softmax of
 * its own, which one more pass puts together.
 */
import type { InferenceKernels } from '../../../../tensor/inference-kernels.ts';
import type { Tensor } from '../../../../tensor/tensor.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { type Heads, nothing, windowOf } from '../attention/tile.ts';
import { inHalves } from '../cache-format.ts';
import { reduction } from '../reduce.ts';
import { cacheReading, cacheRowParameters } from './cache-rows.ts';
import { laneMemory, laneSums } from './lanes.ts';
import { mergeParts } from './merge-parts.ts';
import { innerDot, innerElement, innerUnits, innerZero } from './products.ts';

const threads = 256;
/** Rounds of keys in a tile: as many keys of a thread are on their way at a time. */
const rounds = 4;
/** Keys that are worth a workgroup, and tiles from which on parts gain more than their merging costs. */
const keysPerPart = 128;
const fewTiles = 6;
const mostParts = 64;
/** Workgroups that keep a large GPU busy. */
const enoughGroups = 512;

interface Options extends Heads {
  window: number;
  scale: number;
  valueScale: number;
  pageSize: number;
  sinks: boolean;
  /** Whether keys are split into parts, to be put together by `mergeParts`. */
  split: boolean;
  subgroupSize: number;
  /** Whether the cache is in f16. */
  halves: boolean;
}

/** Query heads of a workgroup: a divisor of those that share a key head. */
function headsPerGroup({ heads, keyValueHeads }: Heads): number {
  const sharing = heads / keyValueHeads;
  for (let count = 4; count > 1; count--) if (sharing % count === 0) return count;
  return 1;
}

const cachedAttention = programs((options: Options) => {
  const { heads, keyValueHeads, keyDim, valueDim, window } = options;
  const { scale, valueScale, sinks, split, subgroupSize } = options;
  const count = headsPerGroup(options);
  const sharing = heads / keyValueHeads;
  // Lanes share the product with a key; long keys have more of them, and the tile fewer keys.
  const lanes = keyDim > 128 ? 16 : 8;
  const keysPerRound = threads / lanes;
  const tile = rounds * keysPerRound;
  const keyUnits = innerUnits(keyDim);
  const steps = Math.ceil(keyUnits / lanes);
  // For the sums, threads side by side take columns, and the keys are shared among what is left.
  const valueUnits = innerUnits(valueDim);
  const columnLanes = Math.min(threads, 2 ** Math.ceil(Math.log2(valueUnits)));
  const columnsPerLane = Math.ceil(valueUnits / columnLanes);
  const keyLanes = threads / columnLanes;
  const keysPerLane = Math.ceil(tile / keyLanes);
  const valueElement = innerElement(valueDim);
  const states = `vec${Math.max(count, 2)}f`;
  const eachSum = (piece: (name: string, head: number, c: number) => string) =>
    unroll(count * columnsPerLane, (i) => {
      const [head, c] = [i % count, Math.floor(i / count)];
      return piece(`sum${head}x${c}`, head, c);
    });
  const scoreNames = Array.from({ length: rounds }, (_, r) =>
    Array.from({ length: count }, (_, h) => `score${r}x${h}`),
  );
  const together = { lanes, threads, subgroupSize };
  // Without subgroups, sums need more of the workgroup's memory, of which 16 KiB are sure to be there.
  const sumBatches = subgroupSize > 1 ? [scoreNames.flat()] : scoreNames;
  /** Heads whose sums go through workgroup memory at a time. */
  const atOnce = subgroupSize > 1 ? Math.min(count, 2) : 1;
  const column = (c: number) => `column + ${c * columnLanes}u`;
  const reading = cacheReading(options);
  return program({
    name: 'cachedAttention',
    directives: subgroupDirectives(subgroupSize),
    bindings: {
      ...reading.bindings,
      sinks: sinks && !split ? 'read f32' : null,
      out: `write ${valueElement}`,
      /** (largest, total) of each part. */
      states: split ? 'write vec2f' : null,
    },
    parameters: cacheRowParameters,
    keepsParameters: true,
    threads,
    head: /* wgsl */ `${reading.head}
${laneMemory(together, sumBatches[0]!.length)}
${reduction('largestOf', states, threads, 'max(a, b)', subgroupSize)}
var<workgroup> located: array<u32, ${tile}>;
var<workgroup> scores: array<f32, ${count * tile}>;
var<workgroup> sums: array<${valueElement}, ${atOnce * threads}>;
var<workgroup> totals: array<f32, ${count * keyLanes}>;`,
    body: /* wgsl */ `
  let row = group.y;
  let firstHead = group.z * ${count}u;
  let keyHead = firstHead / ${sharing}u;
  let sequence = sequenceOf(row);
  let seenEnd = positionOf(row) + 1u;
  let seenBegin = max(seenEnd, ${window}u) - ${window}u;
  let perPart = (seenEnd - seenBegin + groups.x - 1u) / groups.x;
  let begin = min(seenBegin + group.x * perPart, seenEnd);
  let end = min(begin + perPart, seenEnd);
  let lane = thread % ${lanes}u;
  let keyOfLane = thread / ${lanes}u;
  let column = thread % ${columnLanes}u;
  let keyLane = thread / ${columnLanes}u;
  ${unroll(count, (h) =>
    unroll(steps, (s) => {
      const unit = `${s * lanes}u + lane`;
      const load = `query[(row * ${heads}u + firstHead + ${h}u) * ${keyUnits}u + min(${unit}, ${keyUnits - 1}u)]`;
      return `let query${h}x${s} = select(${innerZero(keyDim)}, ${load}, ${unit} < ${keyUnits}u);`;
    }),
  )}
  var largest = ${states}(${nothing});
  ${unroll(count, (h) => `var total${h} = 0.0;`)}
  ${eachSum((name) => `var ${name} = ${innerZero(valueDim)};`)}

  for (var first = begin; first < end; first += ${tile}u) {
    if (thread < ${tile}u) { located[thread] = cacheRow(sequence, min(first + thread, end - 1u)); }
    workgroupBarrier();
    ${unroll(
      rounds,
      (r) => /* wgsl */ `
    let key${r} = (located[${r * keysPerRound}u + keyOfLane] * ${keyValueHeads}u + keyHead) * ${keyUnits}u;
    ${unroll(steps, (s) => `let key${r}x${s} = keysAt(key${r} + min(${s * lanes}u + lane, ${keyUnits - 1}u));`)}`,
    )}
    ${unroll(
      keysPerLane,
      (i) => /* wgsl */ `
    let value${i} = (located[min(${i * keyLanes}u + keyLane, ${tile - 1}u)] * ${keyValueHeads}u + keyHead) * ${valueUnits}u;
    ${unroll(columnsPerLane, (c) => `let value${i}x${c} = valuesAt(value${i} + min(${column(c)}, ${valueUnits - 1}u));`)}`,
    )}
    ${unroll(rounds * count, (i) => {
      const [r, h] = [i % rounds, Math.floor(i / rounds)];
      const terms = Array.from({ length: steps }, (_, s) =>
        innerDot(keyDim, `query${h}x${s}`, `key${r}x${s}`),
      );
      return `var score${r}x${h} = ${terms.join(' + ')};`;
    })}
    ${sumBatches.map((names) => laneSums(names, together)).join('\n')}
    var most = largest;
    ${unroll(rounds, (r) =>
      [
        `{ let i = ${r * keysPerRound}u + keyOfLane;`,
        `let seen = first + i < end;`,
        unroll(count, (h) =>
          [
            `let s${h} = select(${nothing}, score${r}x${h} * ${scale}, seen);`,
            `most[${h}] = max(most[${h}], s${h});`,
            `if (lane == ${h}u) { scores[${h * tile}u + i] = s${h}; }`,
          ].join('\n'),
        ),
        '}',
      ].join('\n'),
    )}
    let next = largestOf(most, thread);
    let fade = exp(largest - next);
    largest = next;
    for (var i = thread; i < ${count * tile}u; i += threads) {
      scores[i] = exp(scores[i] - next[i / ${tile}u]);
    }
    workgroupBarrier();
    ${eachSum((name, h) => `${name} *= fade[${h}];`)}
    ${unroll(count, (h) => `total${h} *= fade[${h}];`)}
    ${unroll(keysPerLane, (i) =>
      unroll(count, (h) => {
        const inTile = (i + 1) * keyLanes <= tile || `${i * keyLanes}u + keyLane < ${tile}u`;
        const add = /* wgsl */ `
    {
      let weight = scores[${h * tile + i * keyLanes}u + keyLane];
      total${h} += weight;
      ${unroll(columnsPerLane, (c) => `sum${h}x${c} += weight * value${i}x${c};`)}
    }`;
        return inTile === true ? add : `if (${inTile}) ${add}`;
      }),
    )}
    workgroupBarrier();
  }

  if (column == 0u) {
    ${unroll(count, (h) => `totals[${h * keyLanes}u + keyLane] = total${h};`)}
  }
  ${unroll(columnsPerLane * Math.ceil(count / atOnce), (i) => {
    const c = i % columnsPerLane;
    const firstOfThese = Math.floor(i / columnsPerLane) * atOnce;
    const these = Math.min(atOnce, count - firstOfThese);
    return /* wgsl */ `
  workgroupBarrier();
  ${unroll(these, (h) => `sums[${h * threads}u + thread] = sum${firstOfThese + h}x${c};`)}
  workgroupBarrier();
  for (var i = thread; i < ${these * columnLanes}u; i += threads) {
    let head = ${firstOfThese}u + i / ${columnLanes}u;
    let at = i % ${columnLanes}u;
    var sum = ${innerZero(valueDim)};
    var total = 0.0;
    for (var k = 0u; k < ${keyLanes}u; k++) {
      sum += sums[(head - ${firstOfThese}u) * threads + k * ${columnLanes}u + at];
      total += totals[head * ${keyLanes}u + k];
    }
    let place = row * ${heads}u + firstHead + head;
    let unit = at + ${c * columnLanes}u;
    ${
      split
        ? /* wgsl */ `
    let part = place * groups.x + group.x;
    if (unit < ${valueUnits}u) { out[part * ${valueUnits}u + unit] = sum; }
    if (unit == 0u) { states[part] = vec2f(largest[head], total); }`
        : /* wgsl */ `
    let sink = ${sinks ? 'sinks[firstHead + head]' : nothing};
    let all = max(largest[head], sink);
    let shrink = exp(largest[head] - all);
    let factor = ${valueScale} * shrink / (total * shrink + exp(sink - all));
    if (unit < ${valueUnits}u) { out[place * ${valueUnits}u + unit] = sum * factor; }`
    }
  }`;
  })}`,
  });
});

type Call = Parameters<InferenceKernels['cachedAttention']>[0];

/** The parts that the keys of a row are split into. */
export function attentionParts(a: Call): number {
  const { query, cache } = a;
  const groups = a.heads / headsPerGroup(a);
  const mostKeys = Math.min(windowOf(a), cache.width * cache.pageSize);
  const wanted = Math.min(mostParts, Math.ceil(mostKeys / keysPerPart));
  const most = Math.max(1, Math.floor(enoughGroups / (query.rows * groups)));
  return wanted > fewTiles ? Math.min(wanted, most) : 1;
}

/** Attention to each part of the keys by itself; with one part, `out` is the whole. */
export function runAttention(runtime: Runtime, a: Call, parts: number, states: Tensor | null) {
  const { query, sinks, cache, out, heads, keyValueHeads, keyDim, valueDim } = a;
  const { keys, values, layout, pageSize, width } = cache;
  const { rows } = query;
  runtime.run(
    cachedAttention({
      ...{ heads, keyValueHeads, keyDim, valueDim },
      window: windowOf(a),
      scale: a.scale,
      valueScale: a.valueScale,
      pageSize,
      sinks: sinks !== null,
      split: parts > 1,
      subgroupSize: runtime.subgroupSize,
      halves: inHalves(keys),
    }),
    { query, keys, values, rowPlaces: layout, sinks, out, states },
    { rows, width },
    [parts, rows, heads / headsPerGroup(a)],
  );
}

export function cachedAttentionKernel(runtime: Runtime): Pick<InferenceKernels, 'cachedAttention'> {
  return {
    cachedAttention(a) {
      const parts = attentionParts(a);
      if (parts === 1) {
        runAttention(runtime, a, parts, null);
        return;
      }
      const { query, sinks, out, heads, valueDim, valueScale } = a;
      const { rows } = query;
      const partial = runtime.scratch([rows, heads, parts, valueDim]);
      const states = runtime.scratch([rows, heads, parts, 2]);
      runAttention(runtime, { ...a, out: partial }, parts, states);
      const { subgroupSize } = runtime;
      const hasSinks = sinks !== null;
      runtime.run(
        mergeParts({ heads, parts, columns: valueDim, valueScale, sinks: hasSinks, subgroupSize }),
        { partial, states, sinks, out },
        {},
        [heads, rows, 1],
      );
    },
  };
}

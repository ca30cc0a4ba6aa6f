/** Attention to the cache with its output projection: in one dispatch, or in two where keys are many. */
import type { FusedKernels } from '../../../../tensor/fused-kernels.ts';
import type { Matrix } from '../../../../tensor/quantized-matrix.ts';
import { program, programs } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { nothing, windowOf } from '../attention/tile.ts';
import { inHalves } from '../cache-format.ts';
import { bitsOf, memoryOf } from '../quantized-weights.ts';
import { attentionParts, runAttention } from './cached-attention.ts';
import { laneLargest, laneSums } from './lanes.ts';
import {
  addProjection,
  canProject,
  type Projection,
  projectionElement,
  projectionGroups,
  projectionMemory,
} from './output-projection.ts';
import { innerElement, innerUnits, isWorthRepeating } from './products.ts';
import { type ShortAttention, shortAttention, shortAttentionBytes } from './short-attention.ts';

/** Keys without a window that are still few. */
const fewKeys = 256;
const mostThreads = 512;
interface Merging extends Projection {
  parts: number;
  valueScale: number;
  sinks: boolean;
}

/** Memory of a workgroup in bytes. */
function mergingBytes({ heads, valueDim, threads, subgroupSize }: Projection, parts: number) {
  return 4 * (heads * (valueDim + parts) + threads / subgroupSize);
}

/** `mergeParts` into the workgroup's memory, and the projection of it. */
const mergedProjection = programs((options: Merging) => {
  const { heads, valueDim, parts, valueScale, sinks, threads, subgroupSize } = options;
  const lanes = 2 ** Math.floor(Math.log2(threads / heads));
  const ofHeads = { lanes, threads, subgroupSize };
  const valueUnits = innerUnits(valueDim);
  return program({
    name: 'mergedProjection',
    directives: subgroupDirectives(subgroupSize),
    bindings: {
      partial: `read ${innerElement(valueDim)}`,
      states: 'read vec2f',
      sinks: sinks ? 'read f32' : null,
      weight: `read ${projectionElement(options)}`,
      out: 'write f32',
    },
    parameters: {},
    threads,
    head: /* wgsl */ `
${projectionMemory(options, lanes, 1)}
var<workgroup> factors: array<f32, ${heads * parts}>;`,
    body: /* wgsl */ `
  {
    let lane = thread % ${lanes}u;
    let head = min(thread / ${lanes}u, ${heads - 1}u);
    let begin = (group.y * ${heads}u + head) * ${parts}u;
    let sink = ${sinks ? 'sinks[head]' : nothing};
    var largest = sink;
    for (var i = lane; i < ${parts}u; i += ${lanes}u) { largest = max(largest, states[begin + i].x); }
    ${laneLargest(['largest'], ofHeads)}
    var total = 0.0;
    for (var i = lane; i < ${parts}u; i += ${lanes}u) {
      let state = states[begin + i];
      total += state.y * exp(state.x - largest);
    }
    ${laneSums(['total'], ofHeads)}
    let all = total + exp(sink - largest);
    if (thread < ${heads * lanes}u) {
      for (var i = lane; i < ${parts}u; i += ${lanes}u) {
        factors[head * ${parts}u + i] = ${valueScale} * exp(states[begin + i].x - largest) / all;
      }
    }
  }
  workgroupBarrier();
  for (var column = thread; column < ${heads * valueUnits}u; column += threads) {
    let head = column / ${valueUnits}u;
    let begin = (group.y * ${heads}u + head) * ${parts}u;
    var sum = factors[head * ${parts}u] * partial[begin * ${valueUnits}u + column % ${valueUnits}u];
    for (var i = 1u; i < ${parts}u; i++) {
      sum += factors[head * ${parts}u + i] * partial[(begin + i) * ${valueUnits}u + column % ${valueUnits}u];
    }
    mixed[column] = sum;
  }
  ${addProjection(options)}`,
  });
});

export function addAttentionKernel(
  runtime: Runtime,
  composed: FusedKernels<Matrix>,
): Pick<FusedKernels<Matrix>, 'addAttention'> {
  const { limits, subgroupSize } = runtime;
  type Call = Parameters<FusedKernels<Matrix>['addAttention']>[0];

  /** What a workgroup would do if each had all keys of a row; null if they are too many for it. */
  const short = (call: Call, projection: Projection): ShortAttention | null => {
    const { cache, keyValueHeads, keyDim, sinks } = call;
    const mostKeys = Math.min(windowOf(call), fewKeys);
    const reaches = Math.min(windowOf(call), cache.width * cache.pageSize);
    if (reaches > mostKeys) return null;
    const options: ShortAttention = {
      ...projection,
      ...{ keyValueHeads, keyDim, mostKeys, pageSize: cache.pageSize, sinks: sinks !== null },
      halves: inHalves(cache.keys),
      ...{ scale: call.scale, valueScale: call.valueScale },
    };
    const groups = projectionGroups(projection) * call.query.rows;
    const rows = cache.keys.rows;
    const bytes = (reaches * (cache.keys.byteLength + cache.values.byteLength)) / rows;
    const fits = shortAttentionBytes(options) <= limits.groupBytes;
    return fits && isWorthRepeating(bytes, groups) ? options : null;
  };

  return {
    addAttention(call) {
      const { query, sinks, cache, weight, out, heads, valueDim, valueScale } = call;
      const threads = Math.min(mostThreads, limits.threadsPerGroup);
      const projection: Projection = {
        heads,
        valueDim,
        columns: out.columns,
        threads,
        subgroupSize,
        bits: bitsOf(weight),
      };
      if (
        !canProject(heads, valueDim) ||
        heads > threads ||
        !runtime.fitsBinding(memoryOf(weight))
      ) {
        composed.addAttention(call);
        return;
      }
      const options = short(call, projection);
      const rows = query.rows;
      const grid = [projectionGroups(projection), rows, 1] as const;
      if (options) {
        const { keys, values, layout, width } = cache;
        const tensors = {
          query,
          keys,
          values,
          rowPlaces: layout,
          sinks,
          weight: memoryOf(weight),
          out,
        };
        runtime.run(shortAttention(options), tensors, { rows, width }, grid);
        return;
      }
      const parts = attentionParts(call);
      const bytes = 4 * heads * parts * valueDim;
      const isFew = isWorthRepeating(bytes, grid[0] * rows);
      if (parts === 1 || !isFew || mergingBytes(projection, parts) > limits.groupBytes) {
        composed.addAttention(call);
        return;
      }
      const partial = runtime.scratch([rows, heads, parts, valueDim]);
      const states = runtime.scratch([rows, heads, parts, 2]);
      runAttention(runtime, { ...call, out: partial }, parts, states);
      runtime.run(
        mergedProjection({ ...projection, parts, valueScale, sinks: sinks !== null }),
        { partial, states, sinks, weight: memoryOf(weight), out },
        {},
        grid,
      );
    },
  };
}

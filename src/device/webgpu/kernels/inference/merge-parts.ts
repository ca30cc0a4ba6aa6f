import { program, programs } from '../../program.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { nothing } from '../attention/tile.ts';
import { largestOf, sumOf } from '../reduce.ts';

const threads = 256;

interface Options {
  heads: number;
  /** At most `threads`. */
  parts: number;
  columns: number;
  valueScale: number;
  sinks: boolean;
  subgroupSize: number;
}

/**
 * A workgroup a row of one head: the softmaxes of a row's parts as one, with the sink. A part has the
 * largest of its scores, the sum of exp(score − largest), and its values' sum weighted by the same.
 */
export const mergeParts = programs((options: Options) => {
  const { heads, parts, columns, valueScale, sinks, subgroupSize } = options;
  const columnLanes = Math.min(threads, 2 ** Math.ceil(Math.log2(columns)));
  const partLanes = threads / columnLanes;
  return program({
    name: 'attentionMerge',
    directives: subgroupDirectives(subgroupSize),
    bindings: {
      partial: 'read f32',
      states: 'read vec2f',
      sinks: sinks ? 'read f32' : null,
      out: 'write f32',
    },
    parameters: {},
    threads,
    head: /* wgsl */ `
${largestOf(threads, subgroupSize)}
${sumOf(threads, subgroupSize)}
var<workgroup> factors: array<f32, ${parts}>;
var<workgroup> sums: array<f32, ${threads}>;`,
    body: /* wgsl */ `
  let row = group.y * ${heads}u + group.x;
  let lane = thread / ${columnLanes}u;
  let sink = ${sinks ? 'sinks[group.x]' : nothing};
  var state = vec2f(${nothing}, 0.0);
  if (thread < ${parts}u) { state = states[row * ${parts}u + thread]; }
  let most = max(largestOf(state.x, thread), sink);
  let factor = exp(state.x - most);
  let total = sumOf(state.y * factor, thread) + exp(sink - most);
  if (thread < ${parts}u) { factors[thread] = factor; }
  for (var first = 0u; first < ${columns}u; first += ${columnLanes}u) {
    let column = first + thread % ${columnLanes}u;
    workgroupBarrier();
    var sum = 0.0;
    if (column < ${columns}u) {
      for (var part = lane; part < ${parts}u; part += ${partLanes}u) {
        sum += factors[part] * partial[(row * ${parts}u + part) * ${columns}u + column];
      }
    }
    sums[thread] = sum;
    workgroupBarrier();
    if (lane == 0u && column < ${columns}u) {
      for (var i = 1u; i < ${partLanes}u; i++) { sum += sums[i * ${columnLanes}u + thread]; }
      out[row * ${columns}u + column] = sum * ${valueScale} / total;
    }
  }`,
  });
});

/** Draws from rows of probabilities, one workgroup a row: see `drawTokens` and `verifyDrafts`. */
import type { InferenceKernels } from '../../../../tensor/inference-kernels.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { smallestOf } from '../reduce.ts';
import { type RowOptions, rowOptions } from './sampling-distribution.ts';

/**
 * A function that draws a column by its weight, `weightAt(column)`. Each thread sums a range of columns,
 * sums are added up in two steps, and the thread in whose range the cumulative weight passes what is
 * asked for looks for the column. Sums only grow from thread to thread, because each begins with the one
 * before it. Where rounding leaves none that passes, it is the last column with any weight. Needs
 * `smallestOf`.
 */
function drawing({ columns, threads }: RowOptions): string {
  const range = Math.ceil(columns / threads);
  const width = 2 ** Math.ceil(Math.log2(threads) / 2);
  const blocks = threads / width;
  return /* wgsl */ `
var<workgroup> sums: array<f32, ${threads}>;
var<workgroup> blockSums: array<f32, ${blocks}>;
var<workgroup> drawnTotal: array<f32, 1>;
var<workgroup> drawnColumn: array<u32, 1>;

fn draw(uniformNumber: f32, thread: u32) -> u32 {
  let begin = min(thread * ${range}u, ${columns}u);
  let end = min(begin + ${range}u, ${columns}u);
  var own = 0.0;
  for (var column = begin; column < end; column++) { own += weightAt(column); }
  workgroupBarrier();
  sums[thread] = own;
  workgroupBarrier();
  if (thread < ${blocks}u) {
    var sum = 0.0;
    for (var i = thread * ${width}u; i < (thread + 1u) * ${width}u; i++) {
      sum += sums[i];
      sums[i] = sum;
    }
    blockSums[thread] = sum;
  }
  workgroupBarrier();
  let block = thread / ${width}u;
  var before = 0.0;
  var total = 0.0;
  for (var i = 0u; i < ${blocks}u; i++) {
    if (i == block) { before = total; }
    total += blockSums[i];
  }
  let limit = uniformNumber * total;
  // The first that passes; behind all of these, the last that has anything.
  var place = 0xffffffffu;
  if (before + sums[thread] > limit) { place = thread; }
  else if (own > 0.0) { place = 2u * threads - thread; }
  let found = smallestOf(place, thread);
  if (thread == 0u) {
    drawnTotal[0] = total;
    drawnColumn[0] = 0u;
  }
  workgroupBarrier();
  if (thread == select(2u * threads - found, found, found < threads)) {
    var mass = before;
    if (thread % ${width}u != 0u) { mass += sums[thread - 1u]; }
    var last = begin;
    for (var column = begin; column < end && mass <= limit; column++) {
      let weight = weightAt(column);
      mass += weight;
      if (weight > 0.0) { last = column; }
    }
    drawnColumn[0] = last;
  }
  return workgroupUniformLoad(&drawnColumn[0]);
}`;
}

/** What a program takes to draw from each row of its tensor `weights`. Needs `smallestOf`. */
export const rowDrawing = (weights: string, copies: number, options: RowOptions) =>
  ({
    bindings: { uniforms: 'read f32', places: 'read i32', out: 'write i32' },
    head: /* wgsl */ `
var<private> rowBegin: u32;
fn weightAt(column: u32) -> f32 { return ${weights}[rowBegin + column]; }
${drawing(options)}`,
    /** Draws from row `group.x` and writes the token to each of its places. */
    body: /* wgsl */ `
  rowBegin = group.x * ${options.columns}u;
  let token = draw(uniforms[group.x], thread);
  for (var i = thread; i < ${copies}u; i += threads) {
    let place = places[group.x * ${copies}u + i];
    if (place >= 0) { out[place] = i32(token); }
  }`,
  }) as const;

const drawTokens = programs(({ copies, ...options }: RowOptions & { copies: number }) => {
  const { bindings, head, body } = rowDrawing('probabilities', copies, options);
  return program({
    name: 'drawTokens',
    directives: subgroupDirectives(options.subgroupSize),
    bindings: { probabilities: 'read f32', ...bindings },
    parameters: {},
    threads: options.threads,
    head: `${smallestOf(options.threads, options.subgroupSize)}${head}`,
    body,
  });
});

const verifyDrafts = programs(({ count, ...options }: RowOptions & { count: number }) => {
  const { columns } = options;
  return program({
    name: 'verifyDrafts',
    directives: subgroupDirectives(options.subgroupSize),
    bindings: {
      targets: 'read f32',
      drafts: count > 0 ? 'read f32' : null,
      tokens: count > 0 ? 'read i32' : null,
      uniforms: 'read f32',
      out: 'write i32',
    },
    parameters: {},
    threads: options.threads,
    head: /* wgsl */ `
var<private> targetBegin: u32;
var<private> draftBegin: u32;
/** Whether what the draft already had is taken from the target. */
var<private> takesRest: bool;
fn weightAt(column: u32) -> f32 {
  let weight = targets[targetBegin + column];
  ${count > 0 ? 'if (takesRest) { return max(weight - drafts[draftBegin + column], 0.0); }' : ''}
  return weight;
}
${smallestOf(options.threads, options.subgroupSize)}
${drawing(options)}`,
    body: /* wgsl */ `
  let sequence = group.x;
  let firstRow = sequence * ${count + 1}u;
  let begin = sequence * ${count + 2}u;
  var kept = 0u;
  ${unroll(
    count,
    (d) => /* wgsl */ `
  {
    let token = tokens[firstRow + ${d + 1}u];
    let wanted = targets[(firstRow + ${d}u) * ${columns}u + u32(token)];
    let draft = drafts[(${d}u * groups.x + sequence) * ${columns}u + u32(token)];
    if (kept == ${d}u && uniforms[firstRow + ${d}u] * draft < wanted) {
      kept++;
      if (thread == 0u) { out[begin + ${d + 1}u] = token; }
    }
  }`,
  )}
  targetBegin = (firstRow + kept) * ${columns}u;
  draftBegin = (kept * groups.x + sequence) * ${columns}u;
  takesRest = kept < ${count}u;
  var token = draw(uniforms[firstRow + ${count}u], thread);
  // Rounding may leave nothing of the target.
  if (workgroupUniformLoad(&drawnTotal[0]) == 0.0) {
    takesRest = false;
    token = draw(uniforms[firstRow + ${count}u], thread);
  }
  if (thread == 0u) {
    out[begin] = i32(kept + 1u);
    out[begin + kept + 1u] = i32(token);
  }`,
  });
});

export function drawKernels(
  runtime: Runtime,
): Pick<InferenceKernels, 'drawTokens' | 'verifyDrafts'> {
  return {
    drawTokens({ probabilities, uniforms, places, out }) {
      const { rows, columns } = probabilities;
      const program = drawTokens({ ...rowOptions(runtime, columns), copies: places.columns });
      runtime.run(program, { probabilities, uniforms, places, out }, {}, [rows, 1, 1]);
    },

    verifyDrafts({ targets, drafts, tokens, uniforms, out }) {
      const count = uniforms.columns - 1;
      const program = verifyDrafts({ ...rowOptions(runtime, targets.columns), count });
      runtime.run(program, { targets, drafts, tokens, uniforms, out }, {}, [uniforms.rows, 1, 1]);
    },
  };
}

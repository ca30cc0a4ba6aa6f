/**
 * The distribution that a row of logits is sampled from. Nothing is sorted: the least weight that is kept
 * is found from its bits, two at a time, by counting or adding up the weights above each of three
 * candidates; weights are positive, so that their bits are in their order.
 */
import type { InferenceKernels } from '../../../../tensor/inference-kernels.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { largestOf, reduction, smallestOf, sumOf } from '../reduce.ts';

/** Weights that a thread keeps to itself between its passes over the row. */
const mostHeld = 16;

/** Of a program that has one workgroup a row. */
export interface RowOptions {
  columns: number;
  threads: number;
  subgroupSize: number;
}

export interface Sampling extends RowOptions {
  vocabSize: number;
}

/**
 * Many threads to read with, but each reduction costs more the more subgroups there are, and without
 * subgroups there is no memory for more.
 */
export function rowOptions({ subgroupSize, limits }: Runtime, columns: number): RowOptions {
  const most = Math.min(subgroupSize === 1 ? 256 : 512, limits.threadsPerGroup);
  const wanted = 2 ** Math.ceil(Math.log2(columns / 8));
  return { columns, threads: Math.min(most, Math.max(32, subgroupSize, wanted)), subgroupSize };
}

/** What `distribution` needs outside of `main`; `smallestOf` comes with it. */
export const distributionHead = ({ threads, subgroupSize }: RowOptions) => /* wgsl */ `
${largestOf(threads, subgroupSize)}
${smallestOf(threads, subgroupSize)}
${sumOf(threads, subgroupSize)}
${reduction('sumsOf', 'vec4f', threads, 'a + b', subgroupSize)}
var<workgroup> hasTies: array<u32, 1>;`;

/** Replaces the row `group.x` of `logits` by what it is sampled from. */
export function distribution(options: Sampling): string {
  const { columns, vocabSize, threads } = options;
  const perThread = Math.ceil(columns / threads);
  const isHeld = perThread <= mostHeld;
  /** Code for each of the thread's columns; `weight` is what the column has at the time. */
  const each = (piece: (weight: string) => string) =>
    isHeld
      ? unroll(perThread, (i) => `{ let column = ${i * threads}u + thread; ${piece(`held${i}`)} }`)
      : `for (var column = thread; column < ${columns}u; column += threads) {
          ${piece('logits[begin + column]')} }`;
  const load = unroll(isHeld ? perThread : 0, (i) => {
    const column = `${i * threads}u + thread`;
    return `var held${i} = logits[begin + min(${column}, ${columns - 1}u)];`;
  });
  const store = unroll(isHeld ? perThread : 0, (i) => {
    const column = `${i * threads}u + thread`;
    return `if (${column} < ${columns}u) { logits[begin + ${column}] = held${i}; }`;
  });

  /** Zeroes all but the largest weights whose `measure` first reaches `goal`, the lower column first. */
  const keepLargest = (measure: (weight: string) => string, goal: string) => /* wgsl */ `
  {
    let goal = ${goal};
    var cut = 0u;
    // No weight is above 1, whose bits are below 2³⁰.
    for (var shift = 28; shift >= 0; shift -= 2) {
      let candidates = vec4u(cut) + (vec4u(1u, 2u, 3u, 0u) << vec4u(u32(shift)));
      var found = vec4f();
      ${each(
        (weight) => /* wgsl */ `
      let above = vec4u(bitcast<u32>(${weight})) >= candidates;
      found += select(vec4f(), vec4f(${measure(weight)}), above);`,
      )}
      let sums = sumsOf(found, thread);
      if (sums.z >= goal) { cut = candidates.z; }
      else if (sums.y >= goal) { cut = candidates.y; }
      else if (sums.x >= goal) { cut = candidates.x; }
    }
    var found = vec4f();
    ${each(
      (weight) => /* wgsl */ `
    if (bitcast<u32>(${weight}) > cut) { found.x += ${measure(weight)}; }
    if (bitcast<u32>(${weight}) == cut) { found.y += 1.0; }`,
    )}
    // Of equal weights only as many are kept as are missing.
    let sums = sumsOf(found, thread);
    let missing = max(1.0, ceil((goal - sums.x) / ${measure('bitcast<f32>(cut)')}));
    if (thread == 0u) { hasTies[0] = u32(sums.y > missing); }
    var lastColumn = ${columns}u;
    if (workgroupUniformLoad(&hasTies[0]) == 1u) {
      lastColumn = 0u;
      for (var shift = ${2 * Math.floor(Math.log2(columns) / 2)}; shift >= 0; shift -= 2) {
        let candidates = vec4u(lastColumn) + (vec4u(1u, 2u, 3u, 0u) << vec4u(u32(shift)));
        var before = vec4f();
        ${each(
          (weight) => /* wgsl */ `
        if (bitcast<u32>(${weight}) == cut) {
          before += select(vec4f(), vec4f(1.0), vec4u(column) < candidates);
        }`,
        )}
        let counts = sumsOf(before, thread);
        if (counts.z < missing) { lastColumn = candidates.z; }
        else if (counts.y < missing) { lastColumn = candidates.y; }
        else if (counts.x < missing) { lastColumn = candidates.x; }
      }
    }
    ${each(
      (weight) => /* wgsl */ `
    let bits = bitcast<u32>(${weight});
    if (bits < cut || (bits == cut && column > lastColumn)) { ${weight} = 0.0; }`,
    )}
  }`;
  const addUp = /* wgsl */ `
    total = 0.0;
    ${each((weight) => `total += ${weight};`)}
    total = sumOf(total, thread);`;

  return /* wgsl */ `
  let begin = group.x * ${columns}u;
  let temperature = settings[group.x].x;
  let topP = settings[group.x].y;
  let topK = settings[group.x].z;
  let minP = settings[group.x].w;
  ${load}
  var most = -3.4e38;
  ${each((weight) => `if (column < ${vocabSize}u) { most = max(most, ${weight}); }`)}
  let largest = largestOf(most, thread);

  if (temperature == 0.0) {
    var first = ${columns}u;
    ${each((weight) => `if (column < ${vocabSize}u && ${weight} == largest) { first = min(first, column); }`)}
    let chosen = smallestOf(first, thread);
    ${each((weight) => `${weight} = select(0.0, 1.0, column == chosen);`)}
    ${store}
  } else {
  var total = 0.0;
  ${each(
    (weight) => /* wgsl */ `
  ${weight} = select(0.0, exp((${weight} - largest) / temperature), column < ${vocabSize}u);
  total += ${weight};`,
  )}
  total = sumOf(total, thread);
  if (topK > 0.0 && topK < ${vocabSize}.0) {
    ${keepLargest(() => '1.0', 'topK')}
    ${addUp}
  }
  if (topP < 1.0) {
    // At least the first, whatever is asked for.
    ${keepLargest((weight) => weight, 'max(topP * total, 1e-30)')}
    ${addUp}
  }
  if (minP > 0.0) {
    ${each((weight) => `if (${weight} < min(minP, 1.0)) { ${weight} = 0.0; }`)}
    ${addUp}
  }
  let factor = 1.0 / total;
  ${each((weight) => `${weight} *= factor;`)}
  ${store}
  }`;
}

const samplingDistribution = programs((options: Sampling) =>
  program({
    name: 'samplingDistribution',
    directives: subgroupDirectives(options.subgroupSize),
    bindings: { logits: 'write f32', settings: 'read vec4f' },
    parameters: {},
    threads: options.threads,
    head: distributionHead(options),
    body: distribution(options),
  }),
);

export function samplingDistributionKernel(
  runtime: Runtime,
): Pick<InferenceKernels, 'samplingDistribution'> {
  return {
    samplingDistribution({ logits, settings, vocabSize }) {
      const { columns, rows } = logits;
      const program = samplingDistribution({ ...rowOptions(runtime, columns), vocabSize });
      runtime.run(program, { logits, settings }, {}, [rows, 1, 1]);
    },
  };
}

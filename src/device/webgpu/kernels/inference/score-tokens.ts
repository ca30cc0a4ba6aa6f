/** Log-probabilities of tokens and of the most probable ones, one workgroup a row: see `scoreTokens`. */
import type { InferenceKernels } from '../../../../tensor/inference-kernels.ts';
import { program, programs } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { largestOf, smallestOf, sumOf } from '../reduce.ts';
import { rowOptions, type Sampling } from './sampling-distribution.ts';

const scoreTokens = programs((options: Sampling & { top: number }) => {
  const { columns, vocabSize, top, threads, subgroupSize } = options;
  return program({
    name: 'scoreTokens',
    directives: subgroupDirectives(subgroupSize),
    bindings: {
      logits: 'read f32',
      tokens: 'read i32',
      places: 'read i32',
      logprobs: 'write f32',
      top: top > 0 ? 'write i32' : null,
    },
    parameters: {},
    threads,
    head: /* wgsl */ `
${largestOf(threads, subgroupSize)}
${smallestOf(threads, subgroupSize)}
${sumOf(threads, subgroupSize)}`,
    body: /* wgsl */ `
  let begin = group.x * ${columns}u;
  let out = group.x * ${top + 1}u;
  var most = -3.4e38;
  for (var c = thread; c < ${vocabSize}u; c += threads) { most = max(most, logits[begin + c]); }
  let largest = largestOf(most, thread);
  var sum = 0.0;
  for (var c = thread; c < ${vocabSize}u; c += threads) { sum += exp(logits[begin + c] - largest); }
  let total = largest + log(sumOf(sum, thread));
  if (thread == 0u) {
    let token = tokens[places[group.x]];
    logprobs[out] = logits[begin + u32(clamp(token, 0, ${columns - 1}))] - total;
  }
  // Each round finds what comes next in the order of falling logits and rising columns.
  var last = largest;
  var lastColumn = -1;
  for (var i = 0u; i < ${top}u; i++) {
    var next = -3.4e38;
    for (var c = thread; c < ${vocabSize}u; c += threads) {
      let logit = logits[begin + c];
      if (logit < last || (logit == last && i32(c) > lastColumn)) { next = max(next, logit); }
    }
    let found = largestOf(next, thread);
    var column = ${vocabSize}u;
    for (var c = thread; c < ${vocabSize}u; c += threads) {
      let isNext = logits[begin + c] == found && (found < last || i32(c) > lastColumn);
      if (isNext) { column = min(column, c); }
    }
    lastColumn = i32(smallestOf(column, thread));
    last = found;
    ${
      top > 0
        ? /* wgsl */ `
    if (thread == 0u) {
      logprobs[out + 1u + i] = found - total;
      top[group.x * ${top}u + i] = lastColumn;
    }`
        : ''
    }
  }`,
  });
});

export function scoreTokensKernel(runtime: Runtime): Pick<InferenceKernels, 'scoreTokens'> {
  return {
    scoreTokens({ logits, tokens, places, vocabSize, logprobs, top }) {
      const { rows, columns } = logits;
      const program = scoreTokens({
        ...rowOptions(runtime, columns),
        vocabSize,
        top: logprobs.columns - 1,
      });
      runtime.run(program, { logits, tokens, places, logprobs, top }, {}, [rows, 1, 1]);
    },
  };
}

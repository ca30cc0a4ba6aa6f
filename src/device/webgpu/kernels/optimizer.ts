import type { Kernels } from '../../../tensor/kernels.ts';
import { program } from '../program.ts';
import type { Runtime } from '../runtime.ts';
import { eachOf } from './elementwise.ts';
import { reduction } from './reduce.ts';

const threads = 256;

/**
 * (sum, what rounding lost of it, zeros): a sum is kept in two numbers, for millions of squares of one
 * size would otherwise lose their last digits (Knuth's two-sum).
 */
const compensated = /* wgsl */ `
fn plus(a: vec3f, b: vec3f) -> vec3f {
  let sum = a.x + b.x;
  let part = sum - a.x;
  let lost = (a.x - (sum - part)) + (b.x - part);
  return vec3f(sum, a.y + b.y + lost, a.z + b.z);
}
${reduction('sumOf', 'vec3f', threads, 'plus(a, b)')}`;

/** A workgroup sums one of `chunks` pieces of one part of x. */
const squares = program({
  name: 'gradientStatistics',
  bindings: { x: 'read f32', sums: 'write vec4f' },
  parameters: { partSize: 'u32', chunkSize: 'u32' },
  threads,
  head: compensated,
  body: /* wgsl */ `
  let begin = group.y * p.partSize;
  let end = begin + min((group.x + 1u) * p.chunkSize, p.partSize);
  var mine = vec3f();
  for (var i = begin + group.x * p.chunkSize + thread; i < end; i += threads) {
    mine = plus(mine, vec3f(x[i] * x[i], 0.0, select(0.0, 1.0, x[i] == 0.0)));
  }
  let all = sumOf(mine, thread);
  if (thread == 0u) { sums[group.y * groups.x + group.x] = vec4f(all, 0.0); }`,
});

const addChunks = program({
  name: 'addStatistics',
  bindings: { sums: 'read vec4f', out: 'write f32' },
  parameters: { chunks: 'u32', outBegin: 'u32' },
  threads,
  head: compensated,
  body: /* wgsl */ `
  var mine = vec3f();
  for (var i = thread; i < p.chunks; i += threads) {
    mine = plus(mine, sums[group.y * p.chunks + i].xyz);
  }
  let all = sumOf(mine, thread);
  if (thread == 0u) {
    let place = p.outBegin + 2u * group.y;
    out[place] = all.x + all.y;
    out[place + 1u] = all.z;
  }`,
});

const adamw = program({
  name: 'adamw',
  bindings: {
    gradient: 'read f32',
    parameter: 'write f32',
    firstMoment: 'write f32',
    secondMoment: 'write f32',
  },
  parameters: {
    size: 'u32',
    rate: 'f32',
    beta1: 'f32',
    beta2: 'f32',
    newWeight1: 'f32',
    newWeight2: 'f32',
    scale1: 'f32',
    scale2: 'f32',
    epsilon: 'f32',
    decay: 'f32',
    gradientScale: 'f32',
  },
  threads,
  body: eachOf(
    'p.size',
    /* wgsl */ `
    let g = gradient[i] * p.gradientScale;
    let m = p.beta1 * firstMoment[i] + p.newWeight1 * g;
    let v = p.beta2 * secondMoment[i] + p.newWeight2 * g * g;
    firstMoment[i] = m;
    secondMoment[i] = v;
    let update = m * p.scale1 / (sqrt(v * p.scale2) + p.epsilon);
    parameter[i] -= p.rate * (update + p.decay * parameter[i]);`,
  ),
});

export function optimizerKernels(runtime: Runtime): Pick<Kernels, 'gradientStatistics' | 'adamw'> {
  return {
    gradientStatistics({ x, out }) {
      const parts = out.shape[0]!;
      const partSize = x.size / parts;
      const chunkSize = Math.max(16 * threads, Math.ceil(partSize / 1024));
      const chunks = Math.ceil(partSize / chunkSize);
      const sums = runtime.scratch([parts, chunks, 4]);
      runtime.run(squares, { x, sums }, { partSize, chunkSize }, [chunks, parts, 1]);
      // A few numbers of many parameters lie side by side, rarely where a binding can begin.
      const { tensor, begin } = runtime.alignedDown(out);
      runtime.run(addChunks, { sums, out: tensor }, { chunks, outBegin: begin }, [1, parts, 1]);
    },

    adamw({ parameter, gradient, firstMoment, secondMoment, ...a }) {
      runtime.run(
        adamw,
        { gradient, parameter, firstMoment, secondMoment },
        {
          size: parameter.size,
          rate: a.rate,
          beta1: a.beta1,
          beta2: a.beta2,
          newWeight1: 1 - a.beta1,
          newWeight2: 1 - a.beta2,
          scale1: 1 / (1 - a.beta1 ** a.step),
          scale2: 1 / (1 - a.beta2 ** a.step),
          epsilon: a.epsilon,
          decay: a.decay,
          gradientScale: a.gradientScale,
        },
        runtime.grid(parameter.size, threads),
      );
    },
  };
}

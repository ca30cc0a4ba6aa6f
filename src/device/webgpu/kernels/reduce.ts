/**
 * Reductions over a workgroup: in subgroups first, where these are there, and the rest in one or two
 * steps of few numbers each, since barriers cost more than a few reads. Every thread must call, and
 * every thread gets the result. The order is fixed, so results are the same in every run.
 */
export function reduction(
  name: string,
  type: string,
  threads: number,
  combine: string,
  subgroupSize = 1,
): string {
  const parts = threads / subgroupSize;
  const width = parts > 32 ? 2 ** Math.round(Math.log2(parts) / 2) : 1;
  const shuffles = Array.from({ length: Math.log2(subgroupSize) }, (_, step) =>
    [`{ let b = subgroupShuffleXor(a, ${2 ** step}u);`, `a = ${combine}; }`].join(' '),
  ).join('\n  ');
  /** Combines every `stride`-th of the first `count` numbers of an array, from `begin` on. */
  const combined = (array: string, count: number, begin: string, stride: number) => /* wgsl */ `
    var a = ${array}[${begin}];
    for (var i = ${begin} + ${stride}u; i < ${count}u; i += ${stride}u) {
      let b = ${array}[i];
      a = ${combine};
    }`;
  return /* wgsl */ `
var<workgroup> ${name}All: array<${type}, ${parts}>;
${width > 1 ? `var<workgroup> ${name}Some: array<${type}, ${width}>;` : ''}
fn ${name}(mine: ${type}, thread: u32) -> ${type} {
  var a = mine;
  ${shuffles}
  ${width > 1 ? '' : '// The numbers of the call before may still be read.\n  workgroupBarrier();'}
  if (thread % ${subgroupSize}u == 0u) { ${name}All[thread / ${subgroupSize}u] = a; }
  workgroupBarrier();
  ${
    width > 1
      ? /* wgsl */ `
  if (thread < ${width}u) {
    ${combined(`${name}All`, parts, 'thread', width)}
    ${name}Some[thread] = a;
  }
  workgroupBarrier();
  {
    ${combined(`${name}Some`, width, '0u', 1)}
    return a;
  }`
      : /* wgsl */ `
  {
    ${combined(`${name}All`, parts, '0u', 1)}
    return a;
  }`
  }
}`;
}

export const sumOf = (threads: number, subgroupSize?: number) =>
  reduction('sumOf', 'f32', threads, 'a + b', subgroupSize);
export const largestOf = (threads: number, subgroupSize?: number) =>
  reduction('largestOf', 'f32', threads, 'max(a, b)', subgroupSize);
/** Of columns and other indices. */
export const smallestOf = (threads: number, subgroupSize: number) =>
  reduction('smallestOf', 'u32', threads, 'min(a, b)', subgroupSize);

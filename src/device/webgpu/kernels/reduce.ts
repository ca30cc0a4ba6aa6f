/**
 * Reductions over a workgroup without subgroups, in two steps of about √threads numbers each: barriers
 * cost more than a few reads. Every thread must call, and every thread gets the result. The order is
 * fixed, so results are the same in every run.
 */
export function reduction(name: string, type: string, threads: number, combine: string): string {
  const width = 2 ** Math.round(Math.log2(threads) / 2);
  return /* wgsl */ `
var<workgroup> ${name}All: array<${type}, ${threads}>;
var<workgroup> ${name}Some: array<${type}, ${width}>;
fn ${name}(mine: ${type}, thread: u32) -> ${type} {
  ${name}All[thread] = mine;
  workgroupBarrier();
  if (thread < ${width}u) {
    var a = ${name}All[thread];
    for (var i = thread + ${width}u; i < ${threads}u; i += ${width}u) {
      let b = ${name}All[i];
      a = ${combine};
    }
    ${name}Some[thread] = a;
  }
  workgroupBarrier();
  var a = ${name}Some[0];
  for (var i = 1u; i < ${width}u; i++) {
    let b = ${name}Some[i];
    a = ${combine};
  }
  return a;
}`;
}

export const sumOf = (threads: number) => reduction('sumOf', 'f32', threads, 'a + b');
export const largestOf = (threads: number) => reduction('largestOf', 'f32', threads, 'max(a, b)');

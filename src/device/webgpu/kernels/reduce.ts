/**
 * Sums over a workgroup without subgroups: a tree in workgroup memory. Every thread must call, and
 * every thread gets the result. The order is fixed, so results are the same in every run.
 */
export function treeReduce(name: string, type: string, threads: number, combine: string): string {
  return /* wgsl */ `
var<workgroup> ${name}Tree: array<${type}, ${threads}>;
fn ${name}(mine: ${type}, thread: u32) -> ${type} {
  ${name}Tree[thread] = mine;
  for (var half = ${threads / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      let a = ${name}Tree[thread];
      let b = ${name}Tree[thread + half];
      ${name}Tree[thread] = ${combine};
    }
  }
  workgroupBarrier();
  let result = ${name}Tree[0];
  // Nobody may begin the next reduction before all have read this one.
  workgroupBarrier();
  return result;
}`;
}

export const sumOf = (threads: number) => treeReduce('sumOf', 'f32', threads, 'a + b');
export const largestOf = (threads: number) => treeReduce('largestOf', 'f32', threads, 'max(a, b)');

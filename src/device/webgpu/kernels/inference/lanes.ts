/**
 * Sums (and largest numbers) shared by `lanes` threads that lie side by side: in subgroups as far as these reach, and through
 * workgroup memory beyond them.
 */
import { unroll } from '../../program.ts';

export interface Lanes {
  /** A power of two. */
  lanes: number;
  threads: number;
  /** 1 without subgroups. */
  subgroupSize: number;
}

/** Workgroup memory for sums of `count` numbers at a time. */
export function laneMemory({ lanes, threads, subgroupSize }: Lanes, count: number): string {
  if (lanes <= subgroupSize) return '';
  return `var<workgroup> laneParts: array<f32, ${(threads / subgroupSize) * count}>;`;
}

/** Replaces each of the variables by its sum over the thread's lanes. All threads must come by. */
export function laneSums(names: readonly string[], lanes: Lanes): string {
  return combined(names, lanes, (a, b) => `${a} + ${b}`);
}

/** The same for the largest in place of the sum. */
export function laneLargest(names: readonly string[], lanes: Lanes): string {
  return combined(names, lanes, (a, b) => `max(${a}, ${b})`);
}

function combined(
  names: readonly string[],
  { lanes, subgroupSize }: Lanes,
  combine: (a: string, b: string) => string,
): string {
  const steps = Math.log2(Math.min(lanes, subgroupSize));
  const shuffles = unroll(steps, (step) =>
    names
      .map((name) => `${name} = ${combine(name, `subgroupShuffleXor(${name}, ${2 ** step}u)`)};`)
      .join('\n'),
  );
  if (lanes <= subgroupSize) return shuffles;
  const count = names.length;
  const parts = lanes / subgroupSize;
  return /* wgsl */ `
  ${shuffles}
  workgroupBarrier();
  if (thread % ${subgroupSize}u == 0u) {
    let place = thread / ${subgroupSize}u * ${count}u;
    ${unroll(count, (i) => `laneParts[place + ${i}u] = ${names[i]};`)}
  }
  workgroupBarrier();
  {
    let place = thread / ${lanes}u * ${parts * count}u;
    ${unroll(count, (i) => `${names[i]} = laneParts[place + ${i}u];`)}
    for (var part = 1u; part < ${parts}u; part++) {
      ${unroll(count, (i) => `${names[i]} = ${combine(names[i]!, `laneParts[place + part * ${count}u + ${i}u]`)};`)}
    }
  }`;
}

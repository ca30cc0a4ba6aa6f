/**
 * Stable sorting of rows by a number each carries, for grouping tokens by expert and gradients by
 * row of the embedding. Few rows are sorted by counting, for each, what comes before it. Many are
 * sorted by radix: for each eight bits, blocks of rows count their digits, a scan over the blocks turns
 * each digit's counts into places among its own, and the blocks put their rows there.
 */
import type { Tensor } from '../../../tensor/tensor.ts';
import { program, programs } from '../program.ts';
import type { Runtime } from '../runtime.ts';

const threads = 256;
const bins = 256;
/** Up to this many rows, comparing all with all is faster than three dispatches a digit. */
const fewRows = 1024;

/**
 * The row numbers [S], sorted by `keys` i32 [S], equal ones in their order. Keys are below `limit`;
 * negative ones come last. The result lives until the end of the kernel call.
 */
export function sortedRows(runtime: Runtime, keys: Tensor, limit: number): Tensor {
  const size = keys.size;
  let order = runtime.scratch([size], 'i32');
  if (size <= fewRows) {
    runtime.run(sortFew, { keys, sorted: order }, { size }, runtime.grid(size, threads));
    return order;
  }
  const blocks = Math.ceil(size / threads);
  const counts = runtime.scratch([bins, blocks], 'i32');
  const totals = runtime.scratch([bins], 'i32');
  let next = runtime.scratch([size], 'i32');
  // One value more than the keys take, which negative keys have in all their digits.
  for (let shift = 0; 2 ** shift < limit + 1; shift += 8) {
    const first = shift === 0;
    const parameters = { size, blocks, shift };
    const grid = runtime.grid(blocks, 1);
    runtime.run(countDigits({ first }), { keys, order, counts }, parameters, grid);
    runtime.run(scan, { counts, totals }, { blocks }, [bins, 1, 1]);
    const tensors = { keys, order, counts, totals, sorted: next };
    runtime.run(placeRows({ first }), tensors, parameters, grid);
    [order, next] = [next, order];
  }
  return order;
}

const sortFew = program({
  name: 'sortFew',
  bindings: { keys: 'read u32', sorted: 'write u32' },
  parameters: { size: 'u32' },
  threads,
  body: /* wgsl */ `
  let row = group.x * threads + thread;
  if (row >= p.size) { return; }
  let key = keys[row];
  var place = 0u;
  for (var i = 0u; i < p.size; i++) {
    let other = keys[i];
    if (other < key || (other == key && i < row)) { place++; }
  }
  sorted[place] = row;`,
});

/** Of a negative key, whatever its value, the largest digit. */
const digitOf = /* wgsl */ `
fn digitOf(key: u32, shift: u32) -> u32 {
  return select(key >> shift, 0xffffffffu, key >= 0x80000000u) & 255u;
}`;

/** The sum of the values of the threads before this one, and of all; for the whole workgroup. */
const sumBefore = /* wgsl */ `
var<workgroup> sums: array<u32, ${threads}>;
fn sumBefore(value: u32, thread: u32) -> vec2u {
  workgroupBarrier();
  sums[thread] = value;
  for (var reach = 1u; reach < threads; reach *= 2u) {
    workgroupBarrier();
    var left = 0u;
    if (thread >= reach) { left = sums[thread - reach]; }
    workgroupBarrier();
    sums[thread] += left;
  }
  workgroupBarrier();
  return vec2u(sums[thread] - value, sums[threads - 1u]);
}`;

/** Before the first digit the rows are in their own order, which nobody has to write down. */
const rowAt = (first: boolean) => (first ? 'i' : 'order[i]');

const countDigits = programs(({ first }: { first: boolean }) =>
  program({
    name: 'sortCount',
    bindings: { keys: 'read u32', order: 'read u32', counts: 'write u32' },
    parameters: { size: 'u32', blocks: 'u32', shift: 'u32' },
    threads,
    head: `var<workgroup> histogram: array<atomic<u32>, ${bins}>;${digitOf}`,
    body: /* wgsl */ `
  for (var block = group.x; block < p.blocks; block += groups.x) {
    atomicStore(&histogram[thread], 0u);
    workgroupBarrier();
    let i = block * threads + thread;
    if (i < p.size) {
      let row = ${rowAt(first)};
      atomicAdd(&histogram[digitOf(keys[row], p.shift)], 1u);
    }
    workgroupBarrier();
    counts[thread * p.blocks + block] = atomicLoad(&histogram[thread]);
    workgroupBarrier();
  }`,
  }),
);

const placeRows = programs(({ first }: { first: boolean }) =>
  program({
    name: 'sortPlace',
    bindings: {
      keys: 'read u32',
      order: 'read u32',
      counts: 'read u32',
      totals: 'read u32',
      sorted: 'write u32',
    },
    parameters: { size: 'u32', blocks: 'u32', shift: 'u32' },
    threads,
    head: /* wgsl */ `
${sumBefore}
${digitOf}
var<workgroup> begins: array<u32, ${bins}>;
var<workgroup> digits: array<u32, ${threads}>;`,
    // There are as many threads as digits.
    body: /* wgsl */ `
  begins[thread] = sumBefore(totals[thread], thread).x;
  for (var block = group.x; block < p.blocks; block += groups.x) {
    let i = block * threads + thread;
    var row = 0u;
    var digit = 0xffffffffu;
    if (i < p.size) {
      row = ${rowAt(first)};
      digit = digitOf(keys[row], p.shift);
    }
    digits[thread] = digit;
    workgroupBarrier();
    var earlier = 0u;
    for (var other = 0u; other < thread; other++) {
      if (digits[other] == digit) { earlier++; }
    }
    if (i < p.size) { sorted[begins[digit] + counts[digit * p.blocks + block] + earlier] = row; }
    workgroupBarrier();
  }`,
  }),
);

/** Replaces each digit's counts by the sum of those of the blocks before; a workgroup a digit. */
const scan = program({
  name: 'sortScan',
  bindings: { counts: 'write u32', totals: 'write u32' },
  parameters: { blocks: 'u32' },
  threads,
  head: sumBefore,
  body: /* wgsl */ `
  var carry = 0u;
  for (var begin = 0u; begin < p.blocks; begin += threads) {
    let block = begin + thread;
    let at = group.x * p.blocks + block;
    var count = 0u;
    if (block < p.blocks) { count = counts[at]; }
    let sum = sumBefore(count, thread);
    if (block < p.blocks) { counts[at] = carry + sum.x; }
    carry += sum.y;
  }
  if (thread == 0u) { totals[group.x] = carry; }`,
});

/**
 * The slots that a workgroup multiplies with one expert's weights, so that these are read once for all
 * of them. With the slots of one token, which are of different experts, a workgroup has one slot. With
 * more, it has an expert (or, where there are fewer slots than experts, a slot: that of the first slot
 * of an expert then has all of its slots).
 */
import type { Tensor } from '../../../../tensor/tensor.ts';
import { unroll } from '../../program.ts';

/** Slots that a thread looks at together, so that it waits for memory but once for all of them. */
const atOnce = 4;

export interface ExpertSlots {
  by: 'token' | 'slot' | 'expert';
  perToken: number;
  /** At least as many as an expert can have: one of each token. */
  mostSlots: number;
  slotThreads: number;
}

export function slotsBy(experts: Tensor, count: number): ExpertSlots['by'] {
  if (experts.rows === 1) return 'token';
  return experts.size < count ? 'slot' : 'expert';
}

export const expertSlotsHead = ({ by, mostSlots }: ExpertSlots) =>
  by === 'token'
    ? 'fn slotOf(index: u32, place: u32) -> u32 { return place; }'
    : /* wgsl */ `
var<workgroup> slots: array<u32, ${mostSlots}>;
/** Slots found, and whether one of them comes before the workgroup's own. */
var<workgroup> found: array<atomic<u32>, 2>;
var<workgroup> slotsToDo: array<u32, 1>;
fn slotOf(index: u32, place: u32) -> u32 { return slots[index]; }`;

/**
 * Declares `expert` and `slotCount`; `slotOf(i, group.y)` is slot i of these. In any order: a row's
 * result does not depend on the rows beside it. Needs `experts` and the parameter `slots`.
 */
export function expertSlots({ by, slotThreads }: ExpertSlots): string {
  if (by === 'token') {
    return 'let expert = u32(experts[group.y]);\n  let slotCount = 1u;';
  }
  const noteEarlier = 'if (slot < group.y) { atomicStore(&found[1], 1u); }';
  return /* wgsl */ `
  let expert = ${by === 'slot' ? 'u32(experts[group.y])' : 'group.y'};
  if (thread < 2u) { atomicStore(&found[thread], 0u); }
  workgroupBarrier();
  for (var first = thread; first < p.slots; first += ${atOnce * slotThreads}u) {
    ${unroll(
      atOnce,
      (i) => `let expert${i} = experts[min(first + ${i * slotThreads}u, p.slots - 1u)];`,
    )}
    ${unroll(
      atOnce,
      (i) => /* wgsl */ `{
      let slot = first + ${i * slotThreads}u;
      if (slot < p.slots && u32(expert${i}) == expert) {
        ${by === 'slot' ? noteEarlier : ''}
        slots[atomicAdd(&found[0], 1u)] = slot;
      }
    }`,
    )}
  }
  workgroupBarrier();
  if (thread == 0u) {
    slotsToDo[0] = select(atomicLoad(&found[0]), 0u, atomicLoad(&found[1]) == 1u);
  }
  let slotCount = workgroupUniformLoad(&slotsToDo[0]);
  if (slotCount == 0u) { return; }`;
}

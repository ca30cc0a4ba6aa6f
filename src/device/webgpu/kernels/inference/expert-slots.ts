/**
 * The slots that a workgroup multiplies with one expert's weights, so that these are read once for all
 * of them. With the slots of one token, which are of different experts, a workgroup has one slot. With
 * more, it has an expert (or, where there are fewer slots than experts, a slot: that of the first slot
 * of an expert then has all of its slots).
 */
import type { Tensor } from '../../../../tensor/tensor.ts';

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
var<workgroup> slotsFound: atomic<u32>;
var<workgroup> hasEarlier: atomic<u32>;
var<workgroup> slotsToDo: u32;
fn slotOf(index: u32, place: u32) -> u32 { return slots[index]; }`;

/**
 * Declares `expert` and `slotCount`; `slotOf(i, group.y)` is slot i of these. In any order: a row's
 * result does not depend on the rows beside it. Needs `experts` and the parameter `slots`.
 */
export function expertSlots({ by, slotThreads }: ExpertSlots): string {
  if (by === 'token') {
    return 'let expert = u32(experts[group.y]);\n  let slotCount = 1u;';
  }
  return /* wgsl */ `
  let expert = ${by === 'slot' ? 'u32(experts[group.y])' : 'group.y'};
  for (var slot = thread; slot < p.slots; slot += ${slotThreads}u) {
    if (u32(experts[slot]) == expert) {
      ${by === 'slot' ? 'if (slot < group.y) { atomicStore(&hasEarlier, 1u); }' : ''}
      slots[atomicAdd(&slotsFound, 1u)] = slot;
    }
  }
  workgroupBarrier();
  if (thread == 0u) {
    slotsToDo = ${by === 'slot' ? 'select(atomicLoad(&slotsFound), 0u, atomicLoad(&hasEarlier) == 1u)' : 'atomicLoad(&slotsFound)'};
  }
  let slotCount = workgroupUniformLoad(&slotsToDo);
  if (slotCount == 0u) { return; }`;
}

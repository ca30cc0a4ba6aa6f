/**
 * Subgroups: threads that exchange values without a barrier. Programs that use them are made for one
 * size, and have a form without (size 1), since not every adapter has them or says how large they are.
 */

export interface SubgroupInfo {
  subgroupMinSize?: number;
  subgroupMaxSize?: number;
}

/** Threads of every subgroup; 1 where there are none, or where programs differ in it. */
export function findSubgroupSize(adapter: GPUAdapter): number {
  const { subgroupMinSize, subgroupMaxSize } = adapter.info as SubgroupInfo;
  if (!adapter.features.has('subgroups' as GPUFeatureName)) return 1;
  return subgroupMinSize && subgroupMinSize === subgroupMaxSize ? subgroupMinSize : 1;
}

/** Directives of a program that uses subgroups of this size. */
export function subgroupDirectives(subgroupSize: number): string[] {
  // Loops end alike for all threads of a subgroup, which the analysis cannot always see.
  return subgroupSize > 1 ? ['enable subgroups;', 'diagnostic(off, subgroup_uniformity);'] : [];
}

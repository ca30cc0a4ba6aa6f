// What both builds share: a multiply-add that is fused where the build has relaxed SIMD.
//
// Two habits of the compilers, seen in the machine code. Unrolling a loop with several accumulators by
// hand makes it slower: Binaryen nests the multiply-adds of each accumulator, which reorders them, and
// V8 then spills; V8 unrolls small loops itself. And a vector of constants is made anew wherever it is
// used: in a hot loop take constants from arguments or memory.

/** a·b + c on four lanes; one rounding in the relaxed build, two in the plain one. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** The sum of the four lanes, always in the same order. */
// @ts-ignore: decorator
@inline
export function sumLanes(v: v128): f32 {
  const pairs = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

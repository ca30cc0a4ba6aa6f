/**
 * What gradients of activations are multiplied by before products in mixed precision round them to f16,
 * whose numbers go from 6·10⁻⁸ to 65504; the products divide by it again.
 */

/** Where the mean gradient of a target goes: those further down are smaller. */
const MEAN = 64;

/**
 * Where the largest may go. On its way down a gradient grows: three to five times in the shipped model, by
 * the rows of a document that add up, and by the length of a value vector within attention. What is a
 * million times smaller still has f16's full precision.
 */
const LARGEST = 256;

/** What is so small that more than this would be needed is nothing. */
const LARGEST_EXPONENT = 60;

/**
 * A power of two for the gradients of all predictions together, next token and MTP heads. It centres the
 * first of them that has a gradient at all, the trunk's as a rule, and keeps the largest of any within
 * range: advantages have long tails, and where a policy has next to nothing to learn, the heads'
 * cross-entropy is the larger by far.
 *
 * @param headroom a power of two by which all stay smaller than that, for where it was too large
 */
export function gradientScale(gradients: readonly Float32Array[], headroom = 1): number {
  const sizes = gradients.map(sizesOf).filter(({ count }) => count > 0);
  const [first] = sizes;
  if (!first) return 1;
  const largest = Math.max(...sizes.map((each) => each.largest));
  const exponent = Math.round(Math.log2(Math.min(MEAN / first.mean, LARGEST / largest)));
  return 2 ** Math.min(exponent, LARGEST_EXPONENT) / headroom;
}

/** Of those that are not zero. */
function sizesOf(gradient: Float32Array): { count: number; mean: number; largest: number } {
  let [sum, count, largest] = [0, 0, 0];
  for (const value of gradient) {
    const size = Math.abs(value);
    sum += size;
    count += size > 0 ? 1 : 0;
    largest = Math.max(largest, size);
  }
  return { count, mean: sum / count, largest };
}

import { UserError } from '../errors.ts';
import { attentionOf } from '../model/config.ts';
import type { Model } from '../model/weights.ts';
import { type CacheType, cachedHeadMultiple } from '../tensor/cache-type.ts';

/**
 * What the caches of a model hold: what is asked for, or else what its device would have, if the model's
 * heads allow it.
 *
 * @throws UserError if the device or the heads do not allow what is asked for
 */
export function cacheTypeOf({ config, device }: Model, asked?: CacheType): CacheType {
  const attentions = config.layers.map((_, layer) => attentionOf(config, layer));
  const sizes = [...attentions, config.slidingAttention].flatMap(({ headDim, valueHeadDim }) => [
    headDim,
    valueHeadDim,
  ]);
  const odd = sizes.find((size) => size % cachedHeadMultiple !== 0);
  const allowed = device.cacheTypes.filter((type) => type === 'f32' || odd === undefined);
  if (asked === undefined) return allowed[0] ?? 'f32';
  if (!device.cacheTypes.includes(asked)) {
    throw new UserError(
      `the ${device.name} device has no caches of ${asked}: ask for ${device.cacheTypes.join(' or ')}`,
    );
  }
  if (!allowed.includes(asked)) {
    throw new UserError(
      `caches of ${asked} need heads in multiples of ${cachedHeadMultiple}, and the model has heads of ${odd}: ask for f32`,
    );
  }
  return asked;
}

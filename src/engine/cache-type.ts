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
export function cacheTypeOf(model: Model, asked?: CacheType): CacheType {
  const allowed = allowedCacheTypes(model);
  if (asked === undefined) return allowed[0] ?? 'f32';
  if (allowed.includes(asked)) return asked;
  const { name, cacheTypes } = model.device;
  throw new UserError(
    cacheTypes.includes(asked)
      ? `caches of ${asked} need heads in multiples of ${cachedHeadMultiple}, and the model has heads of ${oddHead(model)}: ask for f32`
      : `the ${name} device has no caches of ${asked}: ask for ${cacheTypes.join(' or ')}`,
  );
}

/** What they may hold, as the device would rather have it. */
export function allowedCacheTypes(model: Model): CacheType[] {
  const takesAll = oddHead(model) === undefined;
  return model.device.cacheTypes.filter((type) => type === 'f32' || takesAll);
}

/** The size of a head that fits no cache but one of f32. */
function oddHead({ config }: Model): number | undefined {
  const attentions = config.layers.map((_, layer) => attentionOf(config, layer));
  return [...attentions, config.slidingAttention]
    .flatMap(({ headDim, valueHeadDim }) => [headDim, valueHeadDim])
    .find((size) => size % cachedHeadMultiple !== 0);
}

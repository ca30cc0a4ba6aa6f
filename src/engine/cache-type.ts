import { UserError } from '../errors.ts';
import { attentionOf } from '../model/config.ts';
import type { Model } from '../model/weights.ts';
import { type CacheType, cachedHeadMultiple, cachedRotaryMultiple } from '../tensor/cache-type.ts';
import { QuantizedMatrix } from '../tensor/quantized-matrix.ts';

/**
 * What the caches of a model hold. Unless it is asked for: f16 with quantised weights, whose rounding is far
 * larger, where the device and the model's heads allow it; and f32 with weights in f32.
 *
 * @throws UserError if the device or the heads do not allow what is asked for
 */
export function cacheTypeOf(model: Model, asked?: CacheType): CacheType {
  const allowed = allowedCacheTypes(model);
  if (asked === undefined) {
    return isQuantized(model) && allowed.includes('f16') ? 'f16' : 'f32';
  }
  if (allowed.includes(asked)) return asked;
  const { name, cacheTypes } = model.device;
  throw new UserError(
    cacheTypes.includes(asked)
      ? `caches of ${asked} need heads in multiples of ${cachedHeadMultiple}, rotated in multiples of ${cachedRotaryMultiple}, and the model has ${oddSize(model)}: ask for f32`
      : `the ${name} device has no caches of ${asked}: ask for ${cacheTypes.join(' or ')}`,
  );
}

/** What they may hold. */
export function allowedCacheTypes(model: Model): CacheType[] {
  const takesAll = oddSize(model) === undefined;
  return model.device.cacheTypes.filter((type) => type === 'f32' || takesAll);
}

function isQuantized({ parameters }: Model): boolean {
  return [...parameters.values()].some((matrix) => matrix instanceof QuantizedMatrix);
}

/** What of its sizes fits no cache but one of f32. */
function oddSize({ config }: Model): number | undefined {
  const attentions = config.layers.map((_, layer) => attentionOf(config, layer));
  for (const { headDim, valueHeadDim, rotaryDim } of [...attentions, config.slidingAttention]) {
    const odd = [headDim, valueHeadDim].find((size) => size % cachedHeadMultiple !== 0);
    if (odd !== undefined) return odd;
    if (rotaryDim % cachedRotaryMultiple !== 0) return rotaryDim;
  }
  return undefined;
}

/** Values of JSON, wherever they come from. */

export type JsonObject = Record<string, unknown>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `own` over `base`, key by key; where both hold objects, these in the same way, but no deeper. */
export function laidOver(base: JsonObject, own: JsonObject): JsonObject {
  const merged = { ...base };
  for (const [key, value] of Object.entries(own)) {
    const below = merged[key];
    merged[key] = isJsonObject(below) && isJsonObject(value) ? { ...below, ...value } : value;
  }
  return merged;
}

/** Undefined for what is no JSON, which no schema accepts. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

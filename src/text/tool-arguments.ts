/**
 * Gives the text of a tool argument the type that the tool's JSON schema asks for. A value that
 * does not fit stays text, for the tool to complain about: a wrong guess would be acted on.
 */
import { parsePythonLiteral } from './python-literal.ts';

type Converter = (text: string) => unknown;

/**
 * @param text the argument as written, entities such as `&lt;` included.
 * @param schema the JSON schema of the property, `undefined` for one that the tool does not have.
 */
export function coerceArgument(text: string, schema: unknown): unknown {
  const value = unescapeEntities(text);
  if (value.toLowerCase() === 'null') return null;
  for (const type of typesOf(schema)) {
    const converted = converterOf(type)(value);
    if (converted !== undefined) return converted;
  }
  return value;
}

/** Whether an argument is text whatever it says, but for a null. */
export function isTextArgument(schema: unknown): boolean {
  return typesOf(schema).every(isText);
}

/** The type names of a schema, also from lists of types and of alternatives. */
function typesOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const { type, anyOf, oneOf } = schema as Record<string, unknown>;
  const types = Array.isArray(type) ? type : [type];
  const alternatives = [anyOf, oneOf].flatMap((list) => (Array.isArray(list) ? list : []));
  const names = types.filter((name) => typeof name === 'string');
  // Every text is a string, so the other types of a list are tried first.
  return [...names, ...alternatives.flatMap(typesOf)].sort(
    (a, b) => Number(isText(a)) - Number(isText(b)),
  );
}

/** What makes a value of a type; `undefined` if the text is none. Many schemas use other names. */
function converterOf(type: string): Converter {
  if (isText(type)) return (text) => text;
  if (/^(int|uint|long|short|unsigned)/.test(type)) return toInteger;
  if (/^(num|float|double)/.test(type)) return toNumber;
  if (/^bool/.test(type)) return toBoolean;
  if (/^(object|dict|map)/.test(type)) return (text) => ofKind(toValue(text), false);
  if (/^(array|list|tuple)/.test(type)) return (text) => ofKind(toValue(text), true);
  // The template writes a null as Python does.
  if (type === 'null') return (text) => (text === 'None' ? null : undefined);
  return toValue;
}

const isText = (type: string) => /^(str|text|varchar|char|enum)/.test(type);

/** Whole numbers that a double holds exactly. */
function toInteger(text: string): number | undefined {
  const value = /^\s*[-+]?\d+\s*$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

function toNumber(text: string): number | undefined {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}

function toBoolean(text: string): boolean | undefined {
  const lower = text.trim().toLowerCase();
  return lower === 'true' ? true : lower === 'false' ? false : undefined;
}

function toValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return parsePythonLiteral(text);
  }
}

function ofKind(value: unknown, array: boolean): unknown {
  const fits = typeof value === 'object' && value !== null && Array.isArray(value) === array;
  return fits ? value : undefined;
}

const ENTITIES: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** Entities that escape markup, named and numbered; others, as in `?a=1&copy=2`, are left alone. */
export function unescapeEntities(text: string): string {
  return text.replace(
    /&(?:(lt|gt|amp|quot|apos)|#(\d{1,7})|#x([\da-f]{1,6}));/gi,
    (all, name, decimal, hex) => {
      if (name !== undefined) return ENTITIES[name.toLowerCase()]!;
      const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
      return isCharacter(code) ? String.fromCodePoint(code) : all;
    },
  );
}

function isCharacter(code: number): boolean {
  const isSurrogate = code >= 0xd800 && code <= 0xdfff;
  return code > 0 && code <= 0x10ffff && !isSurrogate;
}

/**
 * Tool calls in the model's format (see `ToolCallParser`), so that what is parsed is a call of a tool that
 * was offered, and for strict tools one whose arguments fit its schema.
 */
import { UserError } from '../errors.ts';
import type { Tool } from '../text/chat-messages.ts';
import {
  anyCharacter,
  type CharacterSet,
  charactersOf,
  contains,
  without,
} from './character-set.ts';
import {
  characters,
  choice,
  type Expression,
  literal,
  optional,
  repeat,
  sequence,
  text,
} from './expression.ts';
import { JsonGrammar } from './json-schema.ts';
import { type Schema, SchemaReader } from './schema-reader.ts';

const opening = '<tool_call>';
/** Values end at the first closing tag, and show no calls as examples. */
const anyText = text([opening, '</function>', '</tool_call>'], '</parameter>');
const closing = literal('</parameter>');

/** Characters that mean markup in a value, which are written as entities in text and as escapes in JSON. */
const markup = charactersOf('<&');
const entities: Record<string, string> = { '<': '&lt;', '&': '&amp;' };

/** One call of any of the tools. */
export function toolCall(tools: readonly Tool[]): Expression {
  return choice(...tools.map(callOf));
}

/** Text in which no call begins. */
export const textWithoutCalls = text([opening]);

function callOf({ function: { name, parameters, strict } }: Tool): Expression {
  const path = `${name}.parameters`;
  return sequence(
    literal(`${opening}\n<function=${nameOf(name, name)}>\n`),
    strict === true ? strictArguments(parameters ?? {}, path) : looseArguments(parameters ?? {}),
    literal('</function>\n</tool_call>'),
  );
}

function strictArguments(parameters: Record<string, unknown>, path: string): Expression {
  const reader = new SchemaReader(parameters);
  const json = new JsonGrammar(reader, markup);
  const schema = reader.read(parameters, path);
  if (schema === true) return sequence();
  const isObject = schema.type === 'object' && !schema.$ref && !schema.anyOf && !schema.oneOf;
  if (!isObject) throw new UserError(`${path}.type: must be "object"`);
  const { properties = {}, required = [], additionalProperties = false } = schema;
  if (additionalProperties !== false) {
    throw new UserError(`${path}.additionalProperties: must be false in a strict tool`);
  }
  const undeclared = required.find((name) => !Object.hasOwn(properties, name));
  if (undeclared !== undefined) {
    throw new UserError(`${path}.required: "${undeclared}" is not among the properties`);
  }
  return sequence(
    ...Object.entries(properties).map(([name, property]) => {
      const place = `${path}.properties.${name}`;
      const argument = sequence(
        literal(`<parameter=${nameOf(name, place)}>`),
        argumentOf(json, reader, property, place),
        literal('\n'),
      );
      return required.includes(name) ? argument : optional(argument);
    }),
  );
}

/** Of a tool that is not strict: any text for those that it names, or for any if it names none. */
function looseArguments({ properties, required }: Record<string, unknown>): Expression {
  const names = Object.keys((properties ?? {}) as object).filter((name) => !/[<>\n]/.test(name));
  const needed = new Set(Array.isArray(required) ? required : []);
  const argument = (name: Expression) =>
    sequence(literal('<parameter='), name, literal('>'), anyText, literal('\n'));
  if (names.length === 0) {
    return repeat(
      argument(repeat(characters(without(anyCharacter, charactersOf('<>\n'))), 1, 64)),
      0,
      16,
    );
  }
  return sequence(
    ...names.map((name) => {
      const own = argument(literal(name));
      return needed.has(name) ? own : optional(own);
    }),
  );
}

/** A value and its closing tag. Texts stand as they are, all else as JSON. */
function argumentOf(
  json: JsonGrammar,
  reader: SchemaReader,
  given: unknown,
  path: string,
): Expression {
  const schema = reader.read(given, path);
  if (schema === true) return anyText;
  if (schema.$ref !== undefined)
    return argumentOf(json, reader, reader.resolve(schema.$ref, path), `${path}.$ref`);
  const constants = schema.const === undefined ? schema.enum : [schema.const];
  if (constants) {
    const own = constants.map((value) =>
      typeof value === 'string' ? literal(escaped(value)) : json.value({ const: value }, path),
    );
    return sequence(choice(...own), closing);
  }
  const alternatives = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (alternatives)
    return choice(...alternatives.map((inner) => argumentOf(json, reader, inner, path)));
  const types = schema.type === undefined ? null : [schema.type].flat();
  if (!types?.includes('string')) return sequence(json.value(given, path), closing);
  const options = [stringOf(json, schema, path)];
  for (const type of types) {
    if (type === 'string') continue;
    options.push(sequence(json.value({ ...(given as object), type }, path), closing));
  }
  return choice(...options);
}

function stringOf(json: JsonGrammar, schema: Schema, path: string): Expression {
  const { pattern, format, minLength, maxLength } = schema;
  const isPlain = [pattern, format, minLength, maxLength].every((limit) => limit === undefined);
  return isPlain ? anyText : sequence(json.content(schema, path, writeText), closing);
}

function writeText(set: CharacterSet): Expression {
  const escapes = Object.entries(entities).filter(([character]) => contains(set, character));
  const plain = characters(without(set, markup));
  return choice(plain, ...escapes.map(([, entity]) => literal(entity)));
}

function escaped(value: string): string {
  return value.replace(/[<&]/g, (character) => entities[character]!);
}

function nameOf(name: string, path: string): string {
  if (!/[<>\n]/.test(name) && name.trim() === name && name !== '') return name;
  throw new UserError(`${path}: a name cannot have "<", ">" or spaces around it in a tool call`);
}

/**
 * Texts that are JSON and fit a schema. What of JSON Schema is not understood is refused by name: to
 * leave it out would promise what is not kept.
 *
 * Properties come in the order of the schema. Where it names properties, others are allowed only if
 * `additionalProperties` says so.
 */
import { UserError } from '../errors.ts';
import { anyCharacter, type CharacterSet } from './character-set.ts';
import {
  choice,
  type Expression,
  literal,
  nothing,
  optional,
  type Rule,
  repeat,
  rewritten,
  sequence,
} from './expression.ts';
import { integer, JsonStrings, number, quoted, space } from './json-text.ts';
import { boundsOf, integerBetween, numberBetween } from './number-range.ts';
import { regex } from './regex.ts';
import { type Schema, type SchemaReader, typesOf } from './schema-reader.ts';
import { stringFormats } from './string-formats.ts';

const mostReferences = 500;

/** @param avoided characters that strings have only as escapes. */
export class JsonGrammar {
  readonly #strings: JsonStrings;
  readonly #anyValue: Rule = { body: null };
  readonly #reader: SchemaReader;
  readonly #references = new Map<unknown, Rule>();

  constructor(reader: SchemaReader, avoided: CharacterSet = []) {
    this.#reader = reader;
    this.#strings = new JsonStrings(avoided);
    this.#anyValue.body = choice(
      ...['true', 'false', 'null'].map(literal),
      number,
      quoted(repeat(this.#strings.any)),
      this.#list([], { kind: 'rule', rule: this.#anyValue }, 0, Number.POSITIVE_INFINITY),
      this.anyObject,
    );
  }

  get anyObject(): Expression {
    return this.#object([], { kind: 'rule', rule: this.#anyValue });
  }

  /** @throws UserError naming what in the schema is wrong or not understood; `path` is where it is. */
  value(schema: unknown, path: string): Expression {
    const resolved = this.#reader.read(schema, path);
    if (resolved === true) return { kind: 'rule', rule: this.#anyValue };
    if (resolved.$ref !== undefined) return this.#reference(resolved.$ref, path);
    if (resolved.const !== undefined) return this.#constant(resolved.const);
    if (resolved.enum) return choice(...resolved.enum.map((value) => this.#constant(value)));
    const alternatives = resolved.anyOf ?? resolved.oneOf ?? resolved.allOf;
    if (alternatives) {
      const name = resolved.anyOf ? 'anyOf' : resolved.oneOf ? 'oneOf' : 'allOf';
      return choice(...alternatives.map((inner, i) => this.value(inner, `${path}.${name}[${i}]`)));
    }
    return choice(...typesOf(resolved).map((type) => this.#ofType(type, resolved, path)));
  }

  /** What a string of a schema holds, each character as `write` has it. */
  content(
    { pattern, format, minLength = 0, maxLength }: Schema,
    path: string,
    write: (set: CharacterSet) => Expression,
  ): Expression {
    if (pattern !== undefined || format !== undefined) {
      const isBounded = minLength > 0 || maxLength !== undefined;
      if (isBounded || (pattern !== undefined && format !== undefined)) {
        throw new UserError(
          `${path}: only one of pattern, format and lengths is supported at once`,
        );
      }
      const isKnown = format === undefined || Object.hasOwn(stringFormats, format);
      if (!isKnown)
        throw new UserError(`${path}.format: "${format}" is not supported; leave it out`);
      const parsed =
        format === undefined ? regex(pattern!, { anywhere: true }) : regex(stringFormats[format]!);
      return rewritten(parsed, write);
    }
    return repeat(write(anyCharacter), minLength, maxLength);
  }

  #ofType(type: string, schema: Schema, path: string): Expression {
    switch (type) {
      case 'null':
        return literal('null');
      case 'boolean':
        return choice(literal('true'), literal('false'));
      case 'integer':
      case 'number':
        return this.#number(type, schema, path);
      case 'string': {
        const { pattern, format } = schema;
        const isPlain = pattern === undefined && format === undefined;
        const write = isPlain ? () => this.#strings.any : this.#strings.write;
        return quoted(this.content(schema, path, write));
      }
      case 'array':
        return this.#array(schema, path);
      default:
        return this.#objectOf(schema, path);
    }
  }

  #number(type: 'integer' | 'number', schema: Schema, path: string): Expression {
    const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
    const given = [minimum, maximum, exclusiveMinimum, exclusiveMaximum];
    if (given.every((bound) => bound === undefined)) return type === 'integer' ? integer : number;
    const bounds = boundsOf(schema);
    if (type === 'number' && ![bounds.low, bounds.high].every(isWholeOrInfinite)) {
      throw new UserError(`${path}: bounds of numbers must be whole; leave others out`);
    }
    const range = type === 'integer' ? integerBetween(bounds) : numberBetween(bounds);
    if (range === null) throw new UserError(`${path}: there is no number within the bounds`);
    return range;
  }

  #array({ items, prefixItems = [], minItems = 0, maxItems }: Schema, path: string): Expression {
    const first = prefixItems.map((item, i) => this.value(item, `${path}.prefixItems[${i}]`));
    const rest = items === false ? null : this.value(items ?? true, `${path}.items`);
    const most = Math.min(
      maxItems ?? Number.POSITIVE_INFINITY,
      rest ? Number.POSITIVE_INFINITY : first.length,
    );
    if (most < minItems) throw new UserError(`${path}: no list has as few and as many items`);
    return this.#list(first, rest, minItems, most);
  }

  /** Items of their own for the first places, then any number of the rest. */
  #list(
    first: readonly Expression[],
    rest: Expression | null,
    min: number,
    max: number,
  ): Expression {
    const comma = sequence(literal(','), space);
    const placed = first.length === 0 && rest ? [rest] : first;
    const [least, most] = [min, max].map((count) => Math.max(0, count - placed.length));
    let tail = rest ? repeat(sequence(comma, rest), least, most) : nothing;
    for (const [i, item] of [...placed.entries()].reverse()) {
      const items = i === 0 ? sequence(item, tail) : sequence(comma, item, tail);
      tail = i >= max ? nothing : i < min ? items : optional(items);
    }
    return sequence(literal('['), space, tail, space, literal(']'));
  }

  #objectOf(schema: Schema, path: string): Expression {
    const { properties = {}, required = [], additionalProperties } = schema;
    const isOpen = schema.properties === undefined && additionalProperties === undefined;
    const others = isOpen ? true : (additionalProperties ?? false);
    const rest = others === false ? null : this.value(others, `${path}.additionalProperties`);
    const undeclared = required.filter((name) => !Object.hasOwn(properties, name));
    if (undeclared.length > 0 && rest === null) {
      throw new UserError(`${path}.required: "${undeclared[0]}" is not among the properties`);
    }
    const named = [
      ...Object.entries(properties).map(([name, property]) => ({
        name,
        value: this.value(property, `${path}.properties.${name}`),
        isRequired: required.includes(name),
      })),
      ...undeclared.map((name) => ({ name, value: rest!, isRequired: true })),
    ];
    return this.#object(named, rest);
  }

  #object(
    named: readonly { name: string; value: Expression; isRequired: boolean }[],
    rest: Expression | null,
  ): Expression {
    const comma = sequence(literal(','), space);
    const colon = sequence(literal(':'), space);
    const name = this.#strings.except(named.map(({ name }) => name));
    const other = rest && sequence(quoted(name), colon, rest);
    // What follows where nothing came yet, and where something did; from the last property to the first.
    let ends = {
      first: other ? optional(sequence(other, repeat(sequence(comma, other)))) : nothing,
      later: other ? repeat(sequence(comma, other)) : nothing,
    };
    for (const { name, value, isRequired } of [...named].reverse()) {
      const property = sequence(
        literal(`"${this.#strings.textOf(name)}"`),
        colon,
        value,
        ends.later,
      );
      const [first, later] = [property, sequence(comma, property)];
      ends = isRequired
        ? { first, later }
        : { first: choice(first, ends.first), later: choice(later, ends.later) };
    }
    return sequence(literal('{'), space, ends.first, space, literal('}'));
  }

  #constant(value: unknown): Expression {
    if (typeof value === 'string') return literal(`"${this.#strings.textOf(value)}"`);
    if (Array.isArray(value)) {
      const items = value.map((item) => this.#constant(item));
      return this.#list(items, null, items.length, items.length);
    }
    if (typeof value !== 'object' || value === null) return literal(JSON.stringify(value));
    const named = Object.entries(value).map(([name, inner]) => ({
      name,
      value: this.#constant(inner),
      isRequired: true,
    }));
    return this.#object(named, null);
  }

  /** One rule for each place that is referred to, so that a schema may contain itself. */
  #reference(reference: string, path: string): Expression {
    const target = this.#reader.resolve(reference, path);
    const present = this.#references.get(target);
    if (present) return { kind: 'rule', rule: present };
    if (this.#references.size === mostReferences) {
      throw new UserError(`${path}.$ref: refers to more than ${mostReferences} schemas`);
    }
    const rule: Rule = { body: null };
    this.#references.set(target, rule);
    rule.body = this.value(target, reference);
    return { kind: 'rule', rule };
  }
}

function isWholeOrInfinite(bound: number): boolean {
  return Number.isInteger(bound) || !Number.isFinite(bound);
}

/** Reads JSON schemas: which of their keywords are known, and what references refer to. */
import { z } from 'zod';
import { UserError } from '../errors.ts';

const count = z.int().min(0).max(10_000);
const types = z.enum(['null', 'boolean', 'integer', 'number', 'string', 'array', 'object']);
const inner = z.unknown();

/** The keywords that are understood. */
const schemaShape = {
  type: z.union([types, z.array(types).min(1)]).optional(),
  $ref: z.string().optional(),
  const: z.unknown().optional(),
  enum: z.array(z.unknown()).min(1).max(2000).optional(),
  anyOf: z.array(inner).min(1).optional(),
  oneOf: z.array(inner).min(1).optional(),
  allOf: z.array(inner).length(1, { error: 'of several is not supported' }).optional(),
  properties: z.record(z.string().max(256), inner).optional(),
  required: z.array(z.string().max(256)).optional(),
  additionalProperties: inner.optional(),
  items: inner.optional(),
  prefixItems: z.array(inner).optional(),
  minItems: count.optional(),
  maxItems: count.optional(),
  pattern: z.string().max(2000).optional(),
  format: z.string().optional(),
  minLength: count.optional(),
  maxLength: count.optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  exclusiveMaximum: z.number().optional(),
};

export type Schema = z.output<z.ZodObject<typeof schemaShape>>;

const parser = z.object(schemaShape);

/** Keywords that say nothing about which values fit. */
const annotations = new Set([
  ...['title', 'description', 'default', 'examples', 'example', 'deprecated', 'readOnly'],
  ...['writeOnly', '$schema', '$id', '$comment', '$anchor', '$defs', 'definitions', 'nullable'],
]);

/** Keywords that take the place of all others beside them. */
const alone = ['$ref', 'const', 'enum', 'anyOf', 'oneOf', 'allOf'] as const;

/** Which type a keyword is about, where the schema does not say. */
const keywordTypes: Readonly<Record<string, string>> = {
  ...fromEach(['properties', 'required', 'additionalProperties'], 'object'),
  ...fromEach(['items', 'prefixItems', 'minItems', 'maxItems'], 'array'),
  ...fromEach(['pattern', 'format', 'minLength', 'maxLength'], 'string'),
  ...fromEach(['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'], 'number'),
};

const mostDepth = 64;

export class SchemaReader {
  readonly #root: unknown;

  constructor(root: unknown) {
    this.#root = root;
  }

  /** `true` where anything fits. @throws UserError saying which keyword is not understood */
  read(schema: unknown, path: string): Schema | true {
    if (path.split('.').length > mostDepth) {
      throw new UserError(`${path.slice(0, 60)}…: nests deeper than ${mostDepth} schemas`);
    }
    if (schema === true) return true;
    if (schema === false) throw new UserError(`${path}: nothing fits "false"`);
    const parsed = parser.safeParse(schema);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const place = [path, ...issue!.path.map(String)].join('.');
      throw new UserError(`${place}: ${issue!.message}`);
    }
    const keywords = Object.keys(schema as object).filter((keyword) => !annotations.has(keyword));
    const unknown = keywords.find((keyword) => !Object.hasOwn(schemaShape, keyword));
    if (unknown !== undefined) {
      throw new UserError(`${path}.${unknown}: is not supported; leave it out`);
    }
    const first = alone.find((keyword) => keywords.includes(keyword));
    const others = keywords.filter((keyword) => keyword !== first);
    const isEnum = first === 'const' || first === 'enum';
    const beside = first && others.find((keyword) => !(isEnum && keyword === 'type'));
    if (beside) throw new UserError(`${path}.${beside}: is not supported beside ${first}`);
    return keywords.length === 0 ? true : parsed.data;
  }

  /** The schema that a reference means. */
  resolve(reference: string, path: string): unknown {
    if (!/^#(\/|$)/.test(reference)) {
      throw new UserError(`${path}.$ref: only references within the schema are supported ("#/…")`);
    }
    let target = this.#root;
    for (const part of reference.split('/').slice(1)) {
      const name = decode(part).replaceAll('~1', '/').replaceAll('~0', '~');
      const isThere = typeof target === 'object' && target !== null && Object.hasOwn(target, name);
      if (!isThere) throw new UserError(`${path}.$ref: there is no "${reference}"`);
      target = (target as Record<string, unknown>)[name];
    }
    return target;
  }
}

/** The types that a schema allows; those that its keywords are about where it does not say. */
export function typesOf(schema: Schema): string[] {
  if (schema.type !== undefined) return [schema.type].flat();
  const about = Object.keys(schema).flatMap((keyword) => keywordTypes[keyword] ?? []);
  return [...new Set(about)];
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function fromEach(keywords: readonly string[], type: string): Record<string, string> {
  return Object.fromEntries(keywords.map((keyword) => [keyword, type]));
}

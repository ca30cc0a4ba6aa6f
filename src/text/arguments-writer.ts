/**
 * Writes the arguments of a call as JSON while the call is being generated. Texts go out in pieces as
 * they come; a value of another type goes out whole, for only its end says which it is. The pieces
 * together are the same however the values were cut.
 */
import { isJsonObject, type JsonObject } from '../json.ts';
import { coerceArgument, isTextArgument, unescapeEntities } from './tool-arguments.ts';

export class ArgumentsWriter {
  readonly #properties: JsonObject;
  readonly #keys = new Set<string>();
  #value: ValueWriter | null = null;
  #json = '';

  /** @param properties the JSON schemas of the arguments; what is no object, as a client may send, has none. */
  constructor(properties: unknown) {
    this.#properties = isJsonObject(properties) ? properties : {};
  }

  /** All pieces so far. */
  get json(): string {
    return this.#json;
  }

  /** Ends the argument before, if there is one. Of two with one name the first counts: it is sent. */
  begin(key: string): string {
    const end = this.#endValue();
    if (this.#keys.has(key)) return this.#keep(end);
    const separator = this.#keys.size === 0 ? '{' : ',';
    this.#keys.add(key);
    this.#value = new ValueWriter(this.#properties[key]);
    return this.#keep(`${end}${separator}${JSON.stringify(key)}:`);
  }

  /** The next text of the value, as the model writes it. */
  add(text: string): string {
    return this.#keep(this.#value?.add(text) ?? '');
  }

  end(): string {
    return this.#keep(`${this.#endValue()}${this.#keys.size === 0 ? '{' : ''}}`);
  }

  #endValue(): string {
    const end = this.#value?.end() ?? '';
    this.#value = null;
    return end;
  }

  #keep(piece: string): string {
    this.#json += piece;
    return piece;
  }
}

/** What may be the beginning of an entity, or is half a character. */
const UNSETTLED = /(?:&[#\w]{0,8}|[\ud800-\udbff])$/;

class ValueWriter {
  readonly #schema: unknown;
  readonly #isText: boolean;
  /** Text not yet written. */
  #held = '';
  #isOpen = false;

  constructor(schema: unknown) {
    this.#schema = schema;
    this.#isText = isTextArgument(schema);
  }

  add(text: string): string {
    this.#held += text;
    if (!this.#isText) return '';
    const settled = this.#held.replace(UNSETTLED, '');
    const value = unescapeEntities(settled);
    // A text may also be null.
    if (!this.#isOpen && 'null'.startsWith(value.toLowerCase())) return '';
    const quote = this.#isOpen ? '' : '"';
    this.#isOpen = true;
    this.#held = this.#held.slice(settled.length);
    return quote + contentOf(value);
  }

  end(): string {
    if (this.#isOpen) return `${contentOf(unescapeEntities(this.#held))}"`;
    return JSON.stringify(coerceArgument(this.#held, this.#schema));
  }
}

/** A text as JSON, without the quotes. */
function contentOf(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

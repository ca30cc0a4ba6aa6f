/** How JSON is written: strings, numbers, and where there may be space. */
import {
  type CharacterSet,
  charactersOf,
  complement,
  contains,
  union,
  without,
} from './character-set.ts';
import {
  characters,
  choice,
  type Expression,
  literal,
  nothing,
  optional,
  repeat,
  sequence,
} from './expression.ts';

const controls: CharacterSet = [[0, 0x1f]];
const digit = characters([[0x30, 0x39]]);
const hexDigit = characters([
  [0x30, 0x39],
  [0x41, 0x46],
  [0x61, 0x66],
]);

/** Where values may be set apart: no space, one, or a new line with its indentation. */
export const space: Expression = choice(
  nothing,
  literal(' '),
  sequence(literal('\n'), repeat(characters(charactersOf(' \t')), 0, 40)),
);

const shortEscapes: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** Writes what is inside of strings. */
export class JsonStrings {
  /** What has to be written as an escape. */
  readonly #escaped: CharacterSet;
  readonly any: Expression;

  /** `avoided`: characters that are only to be written as escapes. */
  constructor(avoided: CharacterSet = []) {
    this.#escaped = union(charactersOf('"\\'), controls, avoided);
    this.any = choice(
      characters(complement(this.#escaped)),
      sequence(literal('\\'), characters(charactersOf('"\\/bfnrt'))),
      // All but surrogates, of which one alone is no character.
      sequence(
        literal('\\u'),
        choice(
          sequence(
            characters([
              [0x30, 0x39],
              [0x41, 0x43],
              [0x45, 0x46],
              [0x61, 0x63],
              [0x65, 0x66],
            ]),
            hexDigit,
          ),
          sequence(characters(charactersOf('dD')), characters([[0x30, 0x37]])),
        ),
        hexDigit,
        hexDigit,
      ),
    );
  }

  /** One of a set of characters, in its shortest form. */
  readonly write = (set: CharacterSet): Expression => {
    const plain = characters(without(set, this.#escaped));
    const rest = without(set, complement(this.#escaped));
    const escapes = rest.flatMap(([low, high]) =>
      Array.from({ length: high - low + 1 }, (_, i) => escapeOf(String.fromCodePoint(low + i))),
    );
    return escapes.length === 0 ? plain : choice(plain, ...escapes.map(literal));
  };

  /** Any characters but such that the whole is one of `names`. */
  except(names: readonly string[]): Expression {
    if (names.length === 0) return repeat(this.any);
    const heads = Map.groupBy(
      names.filter((name) => name !== ''),
      (name) => [...name][0]!,
    );
    const others = complement(charactersOf([...heads.keys()].join('')));
    const parts = [...heads].map(([head, own]) =>
      sequence(
        this.write(charactersOf(head)),
        this.except(own.map((name) => name.slice(head.length))),
      ),
    );
    // Where a name may still come, only plain characters: an escape could write the same name.
    const plain = without(others, this.#escaped);
    const other = sequence(characters(plain), repeat(this.any));
    return choice(...(names.includes('') ? [] : [nothing]), other, ...parts);
  }

  /** A text as it stands in a string. */
  textOf(text: string): string {
    const escapeAll = (character: string) =>
      contains(this.#escaped, character) ? escapeOf(character) : character;
    return [...text].map(escapeAll).join('');
  }
}

function escapeOf(character: string): string {
  const code = character.codePointAt(0)!.toString(16).padStart(4, '0');
  return shortEscapes[character] ?? `\\u${code}`;
}

export const quoted = (inner: Expression): Expression =>
  sequence(literal('"'), inner, literal('"'));

const nonZero = characters([[0x31, 0x39]]);

/** Whole numbers that a double holds exactly. */
export const integer: Expression = sequence(
  optional(literal('-')),
  choice(literal('0'), sequence(nonZero, repeat(digit, 0, 14))),
);

const fraction = sequence(literal('.'), repeat(digit, 1, 17));

/** Numbers, of few digits enough to be read as they were meant. */
export const number: Expression = sequence(
  integer,
  optional(fraction),
  optional(
    sequence(
      characters(charactersOf('eE')),
      optional(characters(charactersOf('+-'))),
      repeat(digit, 1, 2),
    ),
  ),
);

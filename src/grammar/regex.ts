/**
 * Regular expressions of JavaScript's syntax, with `u`, as far as they are regular: no look-around, no
 * back-references, no word boundaries. `.` is any character but a line's end.
 */
import { UserError } from '../errors.ts';
import {
  anyCharacter,
  type CharacterSet,
  charactersOf,
  complement,
  union,
} from './character-set.ts';
import { characters, choice, type Expression, repeat, sequence } from './expression.ts';

const digits: CharacterSet = [[0x30, 0x39]];
const wordCharacters: CharacterSet = union(digits, [
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]);
const spaces: CharacterSet = union(
  charactersOf('\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff'),
  [[0x2000, 0x200a]],
);
const lineEnds = charactersOf('\n\r\u2028\u2029');

const classes: Record<string, CharacterSet> = {
  d: digits,
  D: complement(digits),
  w: wordCharacters,
  W: complement(wordCharacters),
  s: spaces,
  S: complement(spaces),
};
const controls: Record<string, string> = { n: '\n', r: '\r', t: '\t', v: '\v', f: '\f', 0: '\0' };

const mostDepth = 100;
const mostRepeats = 10_000;

/**
 * The texts that match from their beginning to their end; with `anywhere`, the texts in which something
 * matches, unless `^` and `$` say where.
 *
 * @throws UserError saying what in the pattern is not understood
 */
export function regex(pattern: string, { anywhere = false } = {}): Expression {
  return new RegexParser(pattern, anywhere).parse();
}

class RegexParser {
  readonly #pattern: string;
  readonly #characters: readonly string[];
  readonly #anywhere: boolean;
  #at = 0;
  #depth = 0;

  constructor(pattern: string, anywhere: boolean) {
    this.#pattern = pattern;
    this.#characters = [...pattern];
    this.#anywhere = anywhere;
  }

  parse(): Expression {
    const parsed = this.#choice();
    if (this.#at < this.#characters.length) throw this.#wrong('")" closes no group');
    return parsed;
  }

  /** `^` and `$` may stand at the ends of the alternatives of the whole. */
  #choice(): Expression {
    const options: Expression[] = [];
    do {
      const isWhole = this.#depth === 0;
      const isBound = isWhole && this.#take('^');
      const parts = this.#terms();
      const endsBound = isWhole && this.#take('$');
      const rest = isWhole && this.#anywhere ? [repeat(characters(anyCharacter))] : [];
      options.push(sequence(...(isBound ? [] : rest), ...parts, ...(endsBound ? [] : rest)));
    } while (this.#take('|'));
    return options.length === 1 ? options[0]! : choice(...options);
  }

  #terms(): Expression[] {
    const parts: Expression[] = [];
    while (this.#at < this.#characters.length) {
      const next = this.#characters[this.#at]!;
      if (next === '|' || next === ')') break;
      if (next === '$' && this.#depth === 0 && this.#isLast()) break;
      parts.push(this.#quantified(this.#atom()));
    }
    return parts;
  }

  #isLast(): boolean {
    const after = this.#characters[this.#at + 1];
    return after === undefined || after === '|';
  }

  #quantified(atom: Expression): Expression {
    const bounds = this.#bounds();
    if (bounds === null) return atom;
    // Asking for the shortest match changes what is found in a text, not which texts match.
    this.#take('?');
    if ('*+?{'.includes(this.#characters[this.#at] ?? ' ')) throw this.#wrong('nothing to repeat');
    return repeat(atom, ...bounds);
  }

  #bounds(): [number, number] | null {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.#take('?')) return [0, 1];
    if (this.#characters[this.#at] !== '{') return null;
    const rest = this.#characters.slice(this.#at, this.#at + 20).join('');
    const [all, low, comma, high] = /^\{(\d+)(,?)(\d*)\}/.exec(rest) ?? [];
    if (all === undefined) throw this.#wrong('"{" begins no repetition; write "\\{"');
    this.#at += all.length;
    const least = Number(low);
    const most = high ? Number(high) : comma ? Number.POSITIVE_INFINITY : least;
    const isTooMuch = least > mostRepeats || (most > mostRepeats && Number.isFinite(most));
    if (isTooMuch) throw this.#wrong(`repeats more than ${mostRepeats} times`);
    if (most < least) throw this.#wrong(`${all} has its bounds in the wrong order`);
    return [least, most];
  }

  #atom(): Expression {
    const next = this.#characters[this.#at++]!;
    switch (next) {
      case '(':
        return this.#group();
      case '[':
        return characters(this.#class());
      case '.':
        return characters(complement(lineEnds));
      case '\\':
        return characters(this.#escape());
      case '^':
      case '$':
        throw this.#wrong(`"${next}" can only stand at the beginning or the end`);
      case '*':
      case '+':
      case '?':
      case '{':
        throw this.#wrong(`"${next}" has nothing to repeat`);
      default:
        return characters(charactersOf(next));
    }
  }

  #group(): Expression {
    if (this.#take('?') && !this.#take(':')) {
      const rest = this.#characters.slice(this.#at, this.#at + 100).join('');
      const [name] = /^<[\p{L}_$][\p{L}\p{N}_$]*>/u.exec(rest) ?? [];
      if (name === undefined) throw this.#wrong('only groups "(...)" and "(?:...)" are supported');
      this.#at += [...name].length;
    }
    if (++this.#depth > mostDepth) throw this.#wrong(`nests deeper than ${mostDepth} groups`);
    const inner = this.#choice();
    this.#depth--;
    if (!this.#take(')')) throw this.#wrong('a "(" is not closed');
    return inner;
  }

  #class(): CharacterSet {
    const isNegated = this.#take('^');
    const sets: CharacterSet[] = [];
    while (!this.#take(']')) {
      const low = this.#classItem();
      const isRange = this.#characters[this.#at] === '-' && this.#characters[this.#at + 1] !== ']';
      if (!isRange) {
        sets.push(low);
        continue;
      }
      this.#at++;
      const [begin, end] = [single(low), single(this.#classItem())];
      if (begin === null || end === null || begin > end) throw this.#wrong('a range is wrong');
      sets.push(complement(complement([[begin, end]])));
    }
    const set = union(...sets);
    return isNegated ? complement(set) : set;
  }

  #classItem(): CharacterSet {
    const next = this.#characters[this.#at++];
    if (next === undefined) throw this.#wrong('a "[" is not closed');
    if (next === '\\' && this.#take('b')) return charactersOf('\b');
    return next === '\\' ? this.#escape() : charactersOf(next);
  }

  #escape(): CharacterSet {
    const next = this.#characters[this.#at++];
    if (next === undefined) throw this.#wrong('"\\" stands at the end');
    if (next in classes) return classes[next]!;
    if (next in controls) return charactersOf(controls[next]!);
    const rest = this.#characters.slice(this.#at, this.#at + 10).join('');
    const code = (next === 'x' ? /^([\da-f]{2})/i : /^(?:([\da-f]{4})|\{([\da-f]{1,6})\})/i).exec(
      rest,
    );
    if ((next === 'x' || next === 'u') && code) {
      const value = Number.parseInt(code[1] ?? code[2]!, 16);
      this.#at += code[0].length;
      const isCharacter = anyCharacter.some(([low, high]) => low <= value && value <= high);
      if (!isCharacter) throw this.#wrong(`"\\${next}${code[0]}" is no character`);
      return [[value, value]];
    }
    if (/[\p{L}\p{N}]/u.test(next)) throw this.#wrong(`"\\${next}" is not supported`);
    return charactersOf(next);
  }

  #take(character: string): boolean {
    if (this.#characters[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #wrong(what: string): UserError {
    const shown = this.#pattern.length > 60 ? `${this.#pattern.slice(0, 60)}…` : this.#pattern;
    return new UserError(
      `the pattern ${JSON.stringify(shown)}: ${what} (at character ${this.#at})`,
    );
  }
}

function single(set: CharacterSet): number | null {
  const [[low, high] = [0, 1], ...others] = set;
  return others.length === 0 && low === high ? low : null;
}

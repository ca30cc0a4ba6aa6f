/**
 * Finds tags in text that arrives in pieces. Text that may turn out to be the start of a tag is
 * held back, so that what a parser emits never depends on where the pieces were cut.
 */
export interface Scan<Name extends string> {
  /** Text before the tag that is certainly not part of one. */
  before: string;
  /** The first tag, if it is there in full. */
  tag: Name | null;
  /** The tag as written; empty if there is none. */
  matched: string;
  /** What follows the tag; without a tag, the possible start of one. */
  after: string;
}

const WILDCARDS: Record<string, string[]> = {
  ' ': ['\\s*'],
  '*': ['[^\\S\\n]*', '[^<>\\s][^<>\\n]*'],
};

export class TagScanner<Name extends string> {
  readonly #pattern: RegExp;

  /**
   * @param tags the text of each tag; a space in it stands for any whitespace, or none, and a star for
   *   a name, which has to be on one line.
   */
  constructor(tags: Record<Name, string>) {
    const entries = Object.entries<string>(tags).map(([name, text]) => {
      const atoms = [...text].flatMap((char) => WILDCARDS[char] ?? escapeCharacter(char));
      return { whole: `(?<${name}>${atoms.join('')})`, start: startOf(atoms) };
    });
    const wholes = entries.map(({ whole }) => whole);
    const starts = entries.map(({ start }) => start);
    this.#pattern = new RegExp(`${wholes.join('|')}|(?:${starts.join('|')})$`);
  }

  scan(text: string): Scan<Name> {
    const match = this.#pattern.exec(text);
    if (match === null) return { before: text, tag: null, matched: '', after: '' };
    const before = text.slice(0, match.index);
    const found = Object.entries(match.groups!).find(([, matched]) => matched !== undefined);
    if (found === undefined) return { before, tag: null, matched: '', after: match[0] };
    const [tag, matched] = found as [Name, string];
    return { before, tag, matched, after: text.slice(match.index + matched.length) };
  }
}

/** A pattern for any non-empty start of the atoms: `a(?:b(?:c)?)?`. */
function startOf(atoms: readonly string[]): string {
  return atoms.reduceRight((rest, atom) => (rest === '' ? atom : `${atom}(?:${rest})?`), '');
}

function escapeCharacter(char: string): string {
  return /[a-z_]/i.test(char) ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

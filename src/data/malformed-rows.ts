import { atomicWriteFile } from '../checkpoint/atomic.ts';
import { UserError } from '../errors.ts';
import type { Row } from './rows.ts';

/** Rows that are logged. */
const LOGGED = 100;

/** Malformed rows of a source: counted, some of them logged, and refused when there are too many. */
export class MalformedRows {
  readonly #location: string;
  readonly #mostAllowed: number;
  readonly #path: string;
  readonly #lines: string[] = [];
  #first = '';
  count = 0;

  /**
   * @param location of the rows, for messages
   * @param mostAllowed share of the rows
   * @param path of the log
   */
  constructor(location: string, mostAllowed: number, path: string) {
    this.#location = location;
    this.#mostAllowed = mostAllowed;
    this.#path = path;
  }

  add(row: Row, problem: string): void {
    if (this.count++ === 0) this.#first = `${row.place}: ${problem}`;
    if (this.#lines.length >= LOGGED) return;
    const text = 'text' in row ? row.text : readable(row.columns);
    this.#lines.push(JSON.stringify({ place: row.place, problem, row: text.slice(0, 1000) }));
  }

  /**
   * @param rows of the source in all
   * @returns where the log is, if there is one
   * @throws UserError when the share is above what is allowed
   */
  async finish(rows: number): Promise<string | undefined> {
    if (this.count === 0) return undefined;
    await atomicWriteFile(this.#path, `${this.#lines.join('\n')}\n`);
    if (this.count > this.#mostAllowed * rows) {
      throw new UserError(
        `${this.#location}: ${this.count} of ${rows} rows are malformed, more than maxMalformed ` +
          `(${this.#mostAllowed}) allows; the first is ${this.#first}; more are in ${this.#path}`,
      );
    }
    return this.#path;
  }
}

/** Parquet has numbers that JSON does not. */
function readable(columns: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(columns, (_, value) => (typeof value === 'bigint' ? String(value) : value));
}

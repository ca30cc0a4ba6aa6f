/** Judgements of responses, and the verifiers that several families share. */
import { answerOf, type Response } from './response.ts';

export interface Verdict {
  correct: boolean;
  /** One line for people: what is right or, in so many words, what is wrong. */
  reason: string;
}

export const CORRECT: Verdict = { correct: true, reason: 'correct' };

export function wrong(reason: string): Verdict {
  return { correct: false, reason };
}

/** A verifier that accepts exactly these answers. */
export function acceptsOnly(
  ...answers: readonly string[]
): (response: Response) => Promise<Verdict> {
  return async (response) => {
    const answer = answerOf(response);
    return answers.includes(answer) ? CORRECT : wrong(expected(answers[0]!, answer));
  };
}

/** A verifier that reads the last line alone, as answers do that show their work. */
export function acceptsLastLine(
  ...answers: readonly string[]
): (response: Response) => Promise<Verdict> {
  return async (response) => {
    const line = lastLine(answerOf(response));
    return answers.includes(line) ? CORRECT : wrong(expected(answers[0]!, line));
  };
}

/** A verifier of a number on the last line, in any of the usual forms (see `readNumber`). */
export function acceptsNumber(value: number): (response: Response) => Promise<Verdict> {
  return async (response) => {
    const line = lastLine(answerOf(response));
    const read = readNumber(line);
    if (read === undefined) return wrong(`the last line is no number: ${shorten(line)}`);
    return read === value ? CORRECT : wrong(expected(String(value), line));
  };
}

/** A verifier of a list on the last line; commas of either script part it, and the order is free. */
export function acceptsSet(values: readonly string[]): (response: Response) => Promise<Verdict> {
  const wanted = [...values].sort();
  return async (response) => {
    const line = lastLine(answerOf(response));
    const read = splitList(line).sort();
    const same = read.length === wanted.length && read.every((value, i) => value === wanted[i]);
    return same ? CORRECT : wrong(expected(values.join(', '), line));
  };
}

/**
 * A line that is one number and nothing else, but for a label (`Answer:`, `答案：`, GSM8K's `####`, a
 * variable's `x =`), a `$`, commas between thousands, zeros after the point and a last full stop.
 */
export function readNumber(line: string): number | undefined {
  const match =
    /^(?:answer:|答案[：:]|####|[a-z] ?=)? *([-−+])?\$?(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?[.。]?$/i.exec(
      line.trim(),
    );
  if (match === null) return undefined;
  const [, sign = '', whole, fraction = '0'] = match;
  const value = Number(`${whole!.replaceAll(',', '')}.${fraction}`);
  // Not −0, which is another value to those who compare bits.
  return sign === '' || sign === '+' || value === 0 ? value : -value;
}

export function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)!.trim();
}

/** The parts of `a, b and c` or `甲、乙和丙`, without a last full stop. */
export function splitList(line: string): string[] {
  return line
    .replace(/[.。]$/u, '')
    .split(/\s*[,，、]\s*(?:and\s+)?|\s+and\s+|和/u)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

export function expected(answer: string, given: string): string {
  return `expected ${shorten(answer)}, got ${shorten(given)}`;
}

/** Text of a model on one line, cut where it runs on. */
export function shorten(text: string, length = 120): string {
  const line = JSON.stringify(text);
  return line.length <= length ? line : `${line.slice(0, length)}…"`;
}

/**
 * Expressions as a recursive transition network (Woods 1970): states with bytes between them, and calls
 * of rules, of which what follows waits on a stack.
 */
import { UserError } from '../errors.ts';
import { type ByteRange, utf8Forms } from './character-set.ts';
import type { Expression, Rule } from './expression.ts';

export interface State {
  /** Where a byte leads. */
  edges: { low: number; high: number; to: number }[];
  /** Where nothing leads. */
  empty: number[];
  /** Rules, by the state that they begin in, and what follows them. */
  calls: { entry: number; next: number }[];
}

/** The state in which a rule, or the whole, ends. */
export const endState = 0;

const mostStates = 100_000;
/** Half of what the call stack holds; each optional property of an object takes three. */
const mostLevels = 1200;

export interface Automaton {
  states: readonly State[];
  start: number;
}

/** @throws UserError if it is too large, or describes no text at all */
export function compileExpression(expression: Expression): Automaton {
  const compiler = new Compiler();
  const start = compiler.compile(expression, endState);
  const productive = productiveStates(compiler.states);
  if (!productive[start]) throw new UserError('no text fits: it contradicts or contains itself');
  // What leads nowhere is cut off, so that no text can be begun that has no end.
  const states = compiler.states.map(({ edges, empty, calls }) => ({
    edges: edges.filter(({ to }) => productive[to]),
    empty: empty.filter((to) => productive[to]),
    calls: calls.filter(({ entry, next }) => productive[entry] && productive[next]),
  }));
  return { states, start };
}

class Compiler {
  readonly states: State[] = [];
  readonly #compiled = new Map<Expression, Map<number, number>>();
  readonly #entries = new Map<Rule, number>();
  #level = 0;

  constructor() {
    this.#add({});
  }

  /** The state from which `expression`, and then what follows from `next` on, leads to the end. */
  compile(expression: Expression, next: number): number {
    const known = this.#compiled.get(expression) ?? new Map<number, number>();
    this.#compiled.set(expression, known);
    const present = known.get(next);
    if (present !== undefined) return present;
    if (this.#level === mostLevels) {
      throw new UserError(`it is too large: it nests deeper than ${mostLevels} levels`);
    }
    this.#level++;
    const state = this.#compileNew(expression, next);
    this.#level--;
    known.set(next, state);
    return state;
  }

  #compileNew(expression: Expression, next: number): number {
    switch (expression.kind) {
      case 'literal':
        return [...new TextEncoder().encode(expression.text)].reduceRight(
          (to, byte) => this.#add({ edges: [{ low: byte, high: byte, to }] }),
          next,
        );
      case 'characters':
        return this.#characters(utf8Forms(expression.set), next);
      case 'sequence':
        return this.#sequence(expression.parts, next);
      case 'choice':
        return this.#choice(expression.options, next);
      case 'repeat':
        return this.#repeat(expression, next);
      case 'text':
        return this.#text(expression.without, expression.end, next);
      case 'rule':
        return this.#add({ calls: [{ entry: this.#entryOf(expression.rule), next }] });
    }
  }

  // Loops, as these two nest deepest and each callback would take its share of the call stack.

  #sequence(parts: readonly Expression[], next: number): number {
    let state = next;
    for (const part of parts.toReversed()) state = this.compile(part, state);
    return state;
  }

  #choice(options: readonly Expression[], next: number): number {
    const empty: number[] = [];
    for (const option of options) empty.push(this.compile(option, next));
    return this.#add({ empty });
  }

  /** Forms share the states after their first bytes, of which there are few. */
  #characters(forms: readonly ByteRange[][], next: number): number {
    const shared = new Map<string, number>();
    const after = (rest: readonly ByteRange[]): number => {
      if (rest.length === 0) return next;
      const key = rest.join(';');
      const state = shared.get(key) ?? this.#add({ edges: [edge(rest, after(rest.slice(1)))] });
      shared.set(key, state);
      return state;
    };
    const edge = ([first]: readonly ByteRange[], to: number) => {
      const [low, high] = first!;
      return { low, high, to };
    };
    return this.#add({ edges: forms.map((form) => edge(form, after(form.slice(1)))) });
  }

  #repeat({ inner, min, max }: Extract<Expression, { kind: 'repeat' }>, next: number): number {
    let state = next;
    if (max === Number.POSITIVE_INFINITY) {
      state = this.#add({});
      this.states[state]!.empty.push(this.compile(inner, state), next);
    } else {
      for (let i = min; i < max; i++) {
        state = this.#add({ empty: [this.compile(inner, state), next] });
      }
    }
    for (let i = 0; i < min; i++) state = this.compile(inner, state);
    return state;
  }

  /** Aho and Corasick (1975): one state for each beginning of one of the texts. */
  #text(without: readonly string[], end: string | null, next: number): number {
    const encoder = new TextEncoder();
    const words = [...without, ...(end === null ? [] : [end])].map((word) =>
      String.fromCharCode(...encoder.encode(word)),
    );
    const isWord = (beginning: string, word: string) => beginning.endsWith(word);
    const endWord = end === null ? null : words.at(-1)!;
    const known = new Map<string, number>();
    const stateOf = (beginning: string): number => {
      const present = known.get(beginning);
      if (present !== undefined) return present;
      const state = this.#add({ empty: end === null ? [next] : [] });
      known.set(beginning, state);
      for (let byte = 0; byte < 256; byte++) {
        const read = beginning + String.fromCharCode(byte);
        if (endWord !== null && isWord(read, endWord)) {
          this.#addByte(state, byte, next);
        } else if (!words.some((word) => isWord(read, word))) {
          this.#addByte(state, byte, stateOf(longestBeginning(read, words)));
        }
      }
      return state;
    };
    return stateOf('');
  }

  #addByte(state: number, byte: number, to: number): void {
    const { edges } = this.states[state]!;
    const last = edges.at(-1);
    if (last?.to === to && last.high === byte - 1) last.high = byte;
    else edges.push({ low: byte, high: byte, to });
  }

  #entryOf(rule: Rule): number {
    const present = this.#entries.get(rule);
    if (present !== undefined) return present;
    const entry = this.#add({});
    this.#entries.set(rule, entry);
    this.states[entry]!.empty.push(this.compile(rule.body!, endState));
    return entry;
  }

  #add({ edges = [], empty = [], calls = [] }: Partial<State>): number {
    if (this.states.length === mostStates) {
      throw new UserError(`it is too large: it takes more than ${mostStates} states`);
    }
    return this.states.push({ edges, empty, calls }) - 1;
  }
}

/** The longest end of a text that one of the words begins with. */
function longestBeginning(read: string, words: readonly string[]): string {
  for (let at = 0; at < read.length; at++) {
    const rest = read.slice(at);
    if (words.some((word) => word.startsWith(rest))) return rest;
  }
  return '';
}

/** Whether each state leads to the end of its rule. */
function productiveStates(states: readonly State[]): boolean[] {
  const productive = states.map((_, state) => state === endState);
  for (let hasChanged = true; hasChanged; ) {
    hasChanged = false;
    for (const [i, { edges, empty, calls }] of states.entries()) {
      if (productive[i]) continue;
      productive[i] =
        edges.some(({ to }) => productive[to]) ||
        empty.some((to) => productive[to]) ||
        calls.some(({ entry, next }) => productive[entry] && productive[next]);
      hasChanged ||= productive[i]!;
    }
  }
  return productive;
}

/**
 * Follows a text through an automaton, and says which tokens can continue it. Sets of places are made
 * into states of a deterministic automaton when first reached (as RE2 does), so that what was asked once
 * costs a look-up.
 */

import { type Automaton, endState } from './automaton.ts';
import type { GrammarState } from './grammar-state.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Places in the automaton at once; more are let go, which forbids texts but allows none. */
const mostPlaces = 256;
/** States and masks that are remembered. */
const mostKnown = { states: 10_000, masks: 1000 };

/** What follows after a rule; there is one object for each. */
interface Stack {
  id: number;
  state: number;
  below: Stack | null;
  /** By the state on top. */
  above: Map<number, Stack>;
}

interface Place {
  state: number;
  stack: Stack;
}

/** Rules entered since the last byte, to find those that begin with themselves. */
interface Entered {
  entry: number;
  /** Whether nothing follows it in the rule that it was called from. */
  isLast: boolean;
  before: Entered | null;
}

export class Matcher {
  readonly automaton: Automaton;
  readonly vocabulary: Vocabulary;
  /** Under everything: nothing follows. */
  readonly #bottom: Stack = { id: 0, state: endState, below: null, above: new Map() };
  #stacks = 1;
  #known = new Map<string, Determined>();
  #masks = 0;

  constructor(automaton: Automaton, vocabulary: Vocabulary) {
    this.automaton = automaton;
    this.vocabulary = vocabulary;
  }

  /** Before any text. */
  get start(): GrammarState {
    return this.#determine([{ state: this.automaton.start, stack: this.#bottom }])!;
  }

  /** After one byte at any of the places; null if none goes on. */
  step(places: readonly Place[], byte: number): Determined | null {
    const reached: Place[] = [];
    for (const { state, stack } of places) {
      for (const { low, high, to } of this.automaton.states[state]!.edges) {
        if (low <= byte && byte <= high) reached.push({ state: to, stack });
      }
    }
    return reached.length > 0 ? this.#determine(reached) : null;
  }

  /** A state has made a mask, which takes memory. */
  countMask(): void {
    this.#masks++;
    if (this.#masks > mostKnown.masks) this.#forget();
  }

  #determine(reached: readonly Place[]): Determined | null {
    const { places, isFinal } = this.#withoutBytes(reached);
    if (places.length === 0 && !isFinal) return null;
    const key = `${isFinal}${places.map(({ state, stack }) => `${state},${stack.id}`).join(' ')}`;
    const known = this.#known.get(key);
    if (known) return known;
    if (this.#known.size >= mostKnown.states) this.#forget();
    const made = new Determined(this, places, isFinal);
    this.#known.set(key, made);
    return made;
  }

  /** Everywhere that no byte leads, as far as a byte goes on from there. */
  #withoutBytes(reached: readonly Place[]): { places: Place[]; isFinal: boolean } {
    const seen = new Set<string>();
    const places: Place[] = [];
    let isFinal = false;
    const open: (Place & { entered: Entered | null })[] = reached
      .map((place) => ({ ...place, entered: null }))
      .reverse();
    while (open.length > 0) {
      const { state, stack, entered } = open.pop()!;
      const key = `${state},${stack.id}`;
      if (seen.has(key)) continue;
      seen.add(key);
      if (state === endState) {
        if (stack.below === null) isFinal = true;
        else open.push({ state: stack.state, stack: stack.below, entered: left(entered) });
        continue;
      }
      const { edges, empty, calls } = this.automaton.states[state]!;
      if (edges.length > 0 && places.length < mostPlaces) places.push({ state, stack });
      for (const to of empty) open.push({ state: to, stack, entered });
      for (const { entry, next } of calls) {
        // A rule that begins with itself says nothing that it does not say without.
        if (hasEntered(entered, entry)) continue;
        const isLast = next === endState;
        const above = isLast ? stack : this.#push(stack, next);
        open.push({ state: entry, stack: above, entered: { entry, isLast, before: entered } });
      }
    }
    places.sort((a, b) => a.state - b.state || a.stack.id - b.stack.id);
    return { places, isFinal };
  }

  #push(below: Stack, state: number): Stack {
    const present = below.above.get(state);
    if (present) return present;
    const stack = { id: this.#stacks++, state, below, above: new Map() };
    below.above.set(state, stack);
    return stack;
  }

  /** Lets memory go; states that are in use find their way again. */
  #forget(): void {
    for (const state of this.#known.values()) state.forget();
    this.#known.clear();
    this.#bottom.above.clear();
    this.#masks = 0;
  }
}

/** Back in the rule that called the one that ended. */
function left(entered: Entered | null): Entered | null {
  let rule = entered;
  while (rule?.isLast) rule = rule.before;
  return rule?.before ?? null;
}

function hasEntered(entered: Entered | null, entry: number): boolean {
  for (let rule = entered; rule; rule = rule.before) if (rule.entry === entry) return true;
  return false;
}

class Determined implements GrammarState {
  readonly isFinal: boolean;
  readonly #matcher: Matcher;
  readonly #places: readonly Place[];
  /** By byte. */
  #next: (Determined | null)[] = [];
  #mask: Int32Array | null = null;

  constructor(matcher: Matcher, places: readonly Place[], isFinal: boolean) {
    this.#matcher = matcher;
    this.#places = places;
    this.isFinal = isFinal;
  }

  get mask(): Int32Array {
    if (this.#mask) return this.#mask;
    const { vocabulary } = this.#matcher;
    const { ids, common, begins, bytes } = vocabulary.ordered;
    const mask = new Int32Array(vocabulary.maskWords);
    // The states along the bytes of the token before, as far as these went.
    const states: Determined[] = [this];
    let reached = 0;
    for (let i = 0; i < ids.length; i++) {
      // It begins with the very bytes that did not go on.
      if (common[i]! > reached) continue;
      reached = common[i]!;
      const [begin, length] = [begins[i]!, begins[i + 1]! - begins[i]!];
      while (reached < length) {
        const next = states[reached]!.#afterByte(bytes[begin + reached]!);
        if (next === null) break;
        states[++reached] = next;
      }
      if (reached === length) mask[ids[i]! >> 5]! |= 1 << (ids[i]! & 31);
    }
    this.#matcher.countMask();
    this.#mask = mask;
    return mask;
  }

  after(token: number): Determined | null {
    const bytes = this.#matcher.vocabulary.bytesOf(token);
    if (bytes === null) return null;
    let state: Determined | null = this;
    for (const byte of bytes) {
      state = state.#afterByte(byte);
      if (state === null) return null;
    }
    return state;
  }

  forget(): void {
    this.#next = [];
    this.#mask = null;
  }

  #afterByte(byte: number): Determined | null {
    const known = this.#next[byte];
    if (known !== undefined) return known;
    const next = this.#matcher.step(this.#places, byte);
    this.#next[byte] = next;
    return next;
  }
}

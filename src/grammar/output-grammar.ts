/** What an answer may be, as a request says it, and how that becomes a grammar over tokens. */

import type { Tool } from '../text/chat-messages.ts';
import { compileExpression } from './automaton.ts';
import {
  choice,
  type Expression,
  literal,
  optional,
  repeat,
  sequence,
  text,
} from './expression.ts';
import type { GrammarState } from './grammar-state.ts';
import { JsonGrammar } from './json-schema.ts';
import { Matcher } from './matcher.ts';
import { regex } from './regex.ts';
import { SchemaReader } from './schema-reader.ts';
import { textWithoutCalls, toolCall } from './tool-grammar.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Plain data, that can be sent to another thread. */
export interface OutputGrammar {
  /** Thinking before the answer, which is free. */
  thinking?: 'may begin' | 'has begun';
  answer:
    | { kind: 'any' }
    /** Any JSON object. */
    | { kind: 'json' }
    | { kind: 'json-schema'; schema: unknown }
    | { kind: 'regex'; pattern: string }
    | { kind: 'choice'; options: readonly string[] };
  calls?: {
    tools: readonly Tool[];
    /** `required`: nothing but calls; `allowed`: in the answer, or after it. */
    mode: 'required' | 'allowed';
    /** Whether there may be several. */
    parallel: boolean;
  };
}

const mostKept = 32;

/** Grammars over one vocabulary. Those used last are kept, with what is known of them. */
export class GrammarCompiler {
  readonly #vocabulary: Vocabulary;
  readonly #kept = new Map<string, Matcher>();

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
  }

  /** @throws UserError saying what in the grammar is wrong or not understood */
  compile(grammar: OutputGrammar): GrammarState {
    const key = JSON.stringify(grammar);
    const matcher =
      this.#kept.get(key) ??
      new Matcher(compileExpression(expressionOf(grammar)), this.#vocabulary);
    this.#kept.delete(key);
    this.#kept.set(key, matcher);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > mostKept) this.#kept.delete(oldest!);
    return matcher.start;
  }
}

/** The texts that a grammar allows. */
export function expressionOf({ thinking, answer, calls }: OutputGrammar): Expression {
  const said = withCalls(answer, calls);
  // A call would end the thinking, and the answer would begin in its middle.
  const thoughts = text(['<tool_call>'], '</think>');
  if (thinking === undefined) return said;
  if (thinking === 'has begun') return sequence(thoughts, said);
  return choice(said, sequence(literal('<think>'), thoughts, said));
}

function withCalls(answer: OutputGrammar['answer'], calls: OutputGrammar['calls']): Expression {
  if (calls === undefined) return answerOf(answer);
  const { tools, mode, parallel } = calls;
  const call = toolCall(tools);
  const more = parallel ? repeat(sequence(optional(literal('\n')), call)) : sequence();
  const all = sequence(call, more);
  if (mode === 'required') return all;
  if (answer.kind !== 'any') return choice(answerOf(answer), all);
  const rest = parallel ? repeat(sequence(call, textWithoutCalls)) : optional(call);
  return sequence(textWithoutCalls, rest);
}

function answerOf(answer: OutputGrammar['answer']): Expression {
  switch (answer.kind) {
    case 'any':
      return text([]);
    case 'json':
      return new JsonGrammar(new SchemaReader({})).anyObject;
    case 'json-schema':
      return new JsonGrammar(new SchemaReader(answer.schema)).value(answer.schema, 'schema');
    case 'regex':
      return regex(answer.pattern);
    case 'choice':
      return choice(...answer.options.map(literal));
  }
}

/** What a text may be, put together from few kinds of parts. */
import type { CharacterSet } from './character-set.ts';

export type Expression =
  | { kind: 'literal'; text: string }
  /** One character. */
  | { kind: 'characters'; set: CharacterSet }
  | { kind: 'sequence'; parts: readonly Expression[] }
  | { kind: 'choice'; options: readonly Expression[] }
  | { kind: 'repeat'; inner: Expression; min: number; max: number }
  /** Any bytes in which none of some texts occurs; with an `end`, up to and with its first occurrence. */
  | { kind: 'text'; without: readonly string[]; end: string | null }
  /** What refers to itself. */
  | { kind: 'rule'; rule: Rule };

export interface Rule {
  body: Expression | null;
}

export const literal = (text: string): Expression => ({ kind: 'literal', text });
export const characters = (set: CharacterSet): Expression => ({ kind: 'characters', set });
export const sequence = (...parts: Expression[]): Expression => ({ kind: 'sequence', parts });
export const choice = (...options: Expression[]): Expression => ({ kind: 'choice', options });
export const nothing: Expression = sequence();
export const optional = (inner: Expression): Expression => choice(inner, nothing);
export const repeat = (inner: Expression, min = 0, max = Number.POSITIVE_INFINITY): Expression => ({
  kind: 'repeat',
  inner,
  min,
  max,
});
export const text = (without: readonly string[], end: string | null = null): Expression => ({
  kind: 'text',
  without,
  end,
});

/** The same expression with other ways to write its characters. It has no text and no rules. */
export function rewritten(
  expression: Expression,
  write: (set: CharacterSet) => Expression,
): Expression {
  switch (expression.kind) {
    case 'characters':
      return write(expression.set);
    case 'literal':
      return sequence(
        ...[...expression.text].map((character) => {
          const code = character.codePointAt(0)!;
          return write([[code, code]]);
        }),
      );
    case 'sequence':
      return sequence(...expression.parts.map((part) => rewritten(part, write)));
    case 'choice':
      return choice(...expression.options.map((option) => rewritten(option, write)));
    case 'repeat':
      return { ...expression, inner: rewritten(expression.inner, write) };
    default:
      throw new Error(`a ${expression.kind} cannot be rewritten`);
  }
}

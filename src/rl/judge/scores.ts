/** The form of a judge's answer, and what is made of it. */
import { z } from 'zod';
import { jsonOf } from '../../json.ts';
import { finalAnswer } from '../../tasks/index.ts';
import type { Rubric } from './rubric.ts';

export interface Judgement {
  /** Share of all points, by weight: from 0 to 1. */
  score: number;
  /** Of each criterion, as given. */
  scores: Record<string, number>;
  reasons: string;
}

/** Reasons come first, so that scores follow from them. */
export function answerSchema({ criteria, highest }: Rubric) {
  const score = z.int().min(0).max(highest);
  const scores = Object.fromEntries(criteria.map(({ name }) => [name, score]));
  return z.strictObject({ reasons: z.string(), scores: z.strictObject(scores) });
}

/** @returns a judgement, or what is wrong with the answer */
export function readJudgement(
  rubric: Rubric,
  answer: string | null,
): { judgement: Judgement } | { problem: string } {
  if (answer === null) return { problem: 'is no chat completion' };
  const value = jsonOf(bare(answer));
  if (value === undefined) return { problem: 'is not JSON' };
  const parsed = answerSchema(rubric).safeParse(value);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    return { problem: path.length > 0 ? `has a wrong "${path.join('.')}": ${message}` : message };
  }
  const { reasons, scores } = parsed.data;
  const points = rubric.criteria.reduce((sum, { name, weight }) => sum + weight * scores[name]!, 0);
  const most = rubric.criteria.reduce((sum, { weight }) => sum + weight * rubric.highest, 0);
  return { judgement: { score: points / most, scores, reasons } };
}

/** Without thinking in front of it and a fence around it, which models add unasked. */
function bare(answer: string): string {
  const text = finalAnswer(answer);
  const fenced = /^```(?:json)?\s*\n(.*)\n```$/s.exec(text);
  return fenced ? fenced[1]! : text;
}

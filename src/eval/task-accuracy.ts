/**
 * How well a model does on the task families: problems it has never seen, answered greedily, each in
 * both languages, checked by the family's verifier.
 */
import type { Assistant } from '../engine/assistant.ts';
import { Random } from '../random.ts';
import { FAMILIES, generateProblem, type Language, type Problem } from '../tasks/index.ts';

export interface FamilyResult {
  family: string;
  language: Language;
  thinking: boolean;
  problems: number;
  correct: number;
  tokens: number;
  /** Mean tokens of a verified pass; null without MTP heads. */
  acceptanceLength: number | null;
  /** A few wrong ones, to look at. */
  mistakes: { question: string; expected: string; response: string }[];
}

export interface EvaluationOptions {
  /** Problems of each family, language and way (with or without thinking). */
  problems: number;
  seed: number;
  /** Most tokens of an answer. */
  maxTokens?: number;
}

const mistakesKept = 5;

/** Yields a result for each family, language and way. The same seed asks the same problems. */
export async function* evaluateTasks(
  assistant: Assistant,
  options: EvaluationOptions,
  progress: (what: string) => void = () => {},
): AsyncGenerator<FamilyResult> {
  for (const family of FAMILIES) {
    for (const thinking of [true, false]) {
      for (const language of ['en', 'zh'] as const) {
        const random = new Random(`${options.seed} ${family.name} ${thinking} ${language}`);
        const result = newResult(family.name, language, thinking);
        const passes = { count: 0, tokens: 0 };
        for (let i = 0; i < options.problems; i++) {
          progress(`${family.name}, ${language}: ${i} of ${options.problems}`);
          const difficulty = ([1, 2, 3] as const)[i % 3]!;
          const choice = { language, difficulty, thinking };
          const problem = generateProblem(family, random, 'test', choice);
          await ask(assistant, problem, options.maxTokens ?? 200, result, passes);
        }
        result.acceptanceLength = passes.count > 0 ? passes.tokens / passes.count : null;
        yield result;
      }
    }
  }
}

function newResult(family: string, language: Language, thinking: boolean): FamilyResult {
  return {
    family,
    language,
    thinking,
    problems: 0,
    correct: 0,
    tokens: 0,
    acceptanceLength: null,
    mistakes: [],
  };
}

async function ask(
  assistant: Assistant,
  problem: Problem,
  maxTokens: number,
  result: FamilyResult,
  passes: { count: number; tokens: number },
): Promise<void> {
  const { thinking, messages } = problem;
  let response = '';
  for await (const event of assistant.reply(messages, { thinking, maxTokens })) {
    if (event.type === 'text-delta') response += event.text;
    if (event.type !== 'finish') continue;
    const { statistics } = event;
    result.tokens += statistics.tokens;
    passes.count += statistics.verifications;
    passes.tokens += statistics.verifiedTokens;
  }
  result.problems++;
  if (problem.verify(response)) {
    result.correct++;
  } else if (result.mistakes.length < mistakesKept) {
    const question = String(messages.at(-1)!.content);
    result.mistakes.push({ question, expected: problem.answer, response });
  }
}

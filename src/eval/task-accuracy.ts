/**
 * How well a model does on the task families: problems it has never seen, answered greedily, each in
 * both languages, checked by the family's verifier. Where a problem has tools, its calls are made, in
 * the problem's own sandbox, and the model goes on with their outputs.
 */
import type { Assistant } from '../engine/assistant.ts';
import { Random } from '../random.ts';
import {
  FAMILIES,
  generateProblem,
  LANGUAGES,
  type Language,
  LEVELS,
  type Level,
  type Problem,
  play,
} from '../tasks/index.ts';

export interface FamilyResult {
  family: string;
  language: Language;
  level: Level;
  thinking: boolean;
  problems: number;
  correct: number;
  tokens: number;
  /** Mean tokens of a verified pass; null without MTP heads. */
  acceptanceLength: number | null;
  /** A few wrong ones, to look at. */
  mistakes: { question: string; reason: string; response: string }[];
}

export interface EvaluationOptions {
  /** Families by name; all by default. */
  families?: readonly string[];
  levels?: readonly Level[];
  /** Problems of each family, language and way (with or without thinking), over all levels. */
  problems: number;
  seed: number;
  /** Most tokens of a turn. */
  maxTokens?: number;
  /** Tokens of the prompts of scalable families. */
  promptTokens?: number;
}

/** Of a turn, its thinking included; the longest solutions take about half. */
const MOST_TOKENS = 800;

const mistakesKept = 5;

/** Yields a result for each family, language, way and level. The same seed asks the same problems. */
export async function* evaluateTasks(
  assistant: Assistant,
  options: EvaluationOptions,
  progress: (what: string) => void = () => {},
): AsyncGenerator<FamilyResult> {
  const { families, levels = LEVELS, problems, seed, promptTokens: tokens } = options;
  const countTokens = (text: string) => assistant.text.tokenizer.encodeOrdinary(text).length;
  for (const family of FAMILIES) {
    if (families && !families.includes(family.name)) continue;
    for (const thinking of [true, false]) {
      for (const language of LANGUAGES) {
        const random = new Random(`${seed} ${family.name} ${thinking} ${language}`);
        const results = levels.map((level) => newResult(family.name, language, level, thinking));
        const passes = levels.map(() => ({ count: 0, tokens: 0 }));
        for (let i = 0; i < problems; i++) {
          progress(`${family.name}, ${language}: ${i} of ${problems}`);
          const at = i % levels.length;
          const choice = { language, level: levels[at]!, thinking };
          const length = tokens !== undefined && family.scalable ? { tokens, countTokens } : {};
          const problem = generateProblem(family, random, 'test', { ...choice, ...length });
          await ask(
            assistant,
            problem,
            options.maxTokens ?? MOST_TOKENS,
            results[at]!,
            passes[at]!,
          );
        }
        for (const [i, result] of results.entries()) {
          if (result.problems === 0) continue;
          const { count, tokens } = passes[i]!;
          yield { ...result, acceptanceLength: count > 0 ? tokens / count : null };
        }
      }
    }
  }
}

function newResult(
  family: string,
  language: Language,
  level: Level,
  thinking: boolean,
): FamilyResult {
  return {
    family,
    language,
    level,
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
  const { thinking, tools } = problem;
  const response = await play(problem, async (messages) => {
    let [text, reasoning] = ['', ''];
    const calls: { function: { name: string; arguments: Record<string, unknown> } }[] = [];
    const options = { thinking, maxTokens, ...(tools && { tools }) };
    for await (const event of assistant.reply(messages, options)) {
      if (event.type === 'text-delta') text += event.text;
      else if (event.type === 'reasoning-delta') reasoning += event.text;
      else if (event.type === 'tool-call') {
        calls.push({ function: { name: event.name, arguments: event.arguments } });
      } else if (event.type === 'unknown-tool-call') {
        text += event.text;
      } else {
        const { statistics } = event;
        result.tokens += statistics.tokens;
        passes.count += statistics.verifications;
        passes.tokens += statistics.verifiedTokens;
      }
    }
    return {
      role: 'assistant',
      content: text,
      ...(thinking && { reasoning_content: reasoning }),
      ...(calls.length > 0 && { tool_calls: calls }),
    };
  });
  const { correct, reason } = await problem.verify(response);
  result.problems++;
  if (correct) {
    result.correct++;
  } else if (result.mistakes.length < mistakesKept) {
    const question = String(problem.messages.at(-1)!.content);
    result.mistakes.push({ question, reason, response: written(response) });
  }
}

function written(response: readonly { content?: unknown; tool_calls?: unknown }[]): string {
  return response
    .map(({ content, tool_calls: calls }) => `${content}${calls ? JSON.stringify(calls) : ''}`)
    .join('\n');
}

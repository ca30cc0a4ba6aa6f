/**
 * How well a model does on the task families: problems it has never seen, answered greedily, each in
 * both languages, checked by the family's verifier. Where a problem has tools, its calls are made, in
 * the problem's own sandbox, and the model goes on with their outputs.
 */
import type { Assistant } from '../engine/assistant.ts';
import { Engine } from '../engine/engine.ts';
import type { GenerationStatistics } from '../engine/statistics.ts';
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
import { assistantMessage } from '../text/assistant-message.ts';
import type { ChatMessage } from '../text/chat-messages.ts';
import type { ResponseEvent } from '../text/response-parser.ts';

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
const mostTokens = 800;

const mistakesKept = 5;

/**
 * Yields a result for each family, language, way and level. The same seed asks the same problems. They
 * are all in the queue of one engine, so that its batch stays full to the end.
 */
export async function* evaluateTasks(
  assistant: Assistant,
  options: EvaluationOptions,
  progress: (what: string) => void = () => {},
): AsyncGenerator<FamilyResult> {
  const engine = new Engine(assistant.model, {
    vocabSize: assistant.text.tokenizer.vocabSize,
    cacheType: assistant.sequence.cacheType,
  });
  const sets = problemSets(assistant, options);
  const total = sets.reduce((sum, { problems }) => sum + problems.length, 0);
  let done = 0;
  try {
    const attempts = sets.map(({ problems }) =>
      problems.map(async (problem) => {
        const attempt = await tryProblem(assistant, engine, problem, options.maxTokens);
        progress(`${++done} of ${total} answered`);
        return attempt;
      }),
    );
    // A failure shows when its set is awaited.
    for (const attempt of attempts.flat()) attempt.catch(() => {});
    for (const [i, { problems, ...set }] of sets.entries()) {
      yield { ...set, ...summarise(problems, await Promise.all(attempts[i]!)) };
    }
  } finally {
    await engine.release();
  }
}

interface ProblemSet {
  family: string;
  language: Language;
  level: Level;
  thinking: boolean;
  problems: Problem[];
}

function problemSets(
  { text }: Assistant,
  { families, levels = LEVELS, problems, seed, promptTokens: tokens }: EvaluationOptions,
): ProblemSet[] {
  const countTokens = (words: string) => text.tokenizer.encodeOrdinary(words).length;
  const sets: ProblemSet[] = [];
  for (const family of FAMILIES) {
    if (families && !families.includes(family.name)) continue;
    for (const thinking of [true, false]) {
      for (const language of LANGUAGES) {
        const random = new Random(`${seed} ${family.name} ${thinking} ${language}`);
        const own = levels.map((level): ProblemSet => {
          return { family: family.name, language, level, thinking, problems: [] };
        });
        for (let i = 0; i < problems; i++) {
          const set = own[i % levels.length]!;
          const length = tokens !== undefined && family.scalable ? { tokens, countTokens } : {};
          const choice = { language, level: set.level, thinking, ...length };
          set.problems.push(generateProblem(family, random, 'test', choice));
        }
        sets.push(...own.filter((set) => set.problems.length > 0));
      }
    }
  }
  return sets;
}

/** What came of a problem: the model's turns, the verdict on them, and how they were generated. */
interface Attempt {
  response: readonly ChatMessage[];
  correct: boolean;
  reason: string;
  turns: GenerationStatistics[];
}

async function tryProblem(
  assistant: Assistant,
  engine: Engine,
  problem: Problem,
  maxTokens = mostTokens,
): Promise<Attempt> {
  const { thinking, tools } = problem;
  const turns: GenerationStatistics[] = [];
  const response = await play(problem, async (messages) => {
    const events: ResponseEvent[] = [];
    // Of all heads, whatever is fastest in this batch: acceptance is the model's.
    const drafts = assistant.model.mtp.length;
    const options = { thinking, maxTokens, drafts, ...(tools && { tools }) };
    for await (const event of assistant.reply(messages, options, engine)) {
      if (event.type === 'finish') turns.push(event.statistics);
      else events.push(event);
    }
    return assistantMessage(events, thinking);
  });
  return { response, turns, ...(await problem.verify(response)) };
}

function summarise(
  problems: readonly Problem[],
  attempts: readonly Attempt[],
): Omit<FamilyResult, 'family' | 'language' | 'level' | 'thinking'> {
  const turns = attempts.flatMap((attempt) => attempt.turns);
  const sum = (value: (statistics: GenerationStatistics) => number) =>
    turns.reduce((total, statistics) => total + value(statistics), 0);
  const verifications = sum((statistics) => statistics.verifications);
  const mistakes = attempts.flatMap(({ correct, reason, response }, i) => {
    if (correct) return [];
    const question = String(problems[i]!.messages.at(-1)!.content);
    return [{ question, reason, response: written(response) }];
  });
  return {
    problems: problems.length,
    correct: attempts.filter(({ correct }) => correct).length,
    tokens: sum(({ tokens }) => tokens),
    acceptanceLength:
      verifications > 0 ? sum(({ verifiedTokens }) => verifiedTokens) / verifications : null,
    mistakes: mistakes.slice(0, mistakesKept),
  };
}

function written(response: readonly { content?: unknown; tool_calls?: unknown }[]): string {
  return response
    .map(({ content, tool_calls: calls }) => `${content}${calls ? JSON.stringify(calls) : ''}`)
    .join('\n');
}

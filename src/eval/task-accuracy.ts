/**
 * How well a model does on the task families: problems it has never seen, answered greedily, each in
 * both languages, checked by the family's verifier.
 */
import type { Assistant } from '../engine/assistant.ts';
import { Engine } from '../engine/engine.ts';
import type { GenerationStatistics } from '../engine/statistics.ts';
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

/**
 * Yields a result for each family, language and way. The same seed asks the same problems. They are
 * all in the queue of one engine, so that its batch stays full to the end.
 */
export async function* evaluateTasks(
  assistant: Assistant,
  options: EvaluationOptions,
  progress: (what: string) => void = () => {},
): AsyncGenerator<FamilyResult> {
  const engine = new Engine(assistant.model, { vocabSize: assistant.text.tokenizer.vocabSize });
  const sets = problemSets(options);
  const total = sets.reduce((sum, { problems }) => sum + problems.length, 0);
  let done = 0;
  try {
    const answers = sets.map(({ problems }) =>
      problems.map(async (problem) => {
        const answer = await ask(assistant, engine, problem, options.maxTokens ?? 200);
        progress(`${++done} of ${total} answered`);
        return answer;
      }),
    );
    // A failure shows when its set is awaited.
    for (const answer of answers.flat()) answer.catch(() => {});
    for (const [i, { problems, ...set }] of sets.entries()) {
      yield { ...set, ...judge(problems, await Promise.all(answers[i]!)) };
    }
  } finally {
    await engine.release();
  }
}

interface ProblemSet {
  family: string;
  language: Language;
  thinking: boolean;
  problems: Problem[];
}

function problemSets({ seed, problems }: EvaluationOptions): ProblemSet[] {
  return FAMILIES.flatMap((family) =>
    [true, false].flatMap((thinking) =>
      (['en', 'zh'] as const).map((language) => {
        const random = new Random(`${seed} ${family.name} ${thinking} ${language}`);
        const set = Array.from({ length: problems }, (_, i) => {
          const difficulty = ([1, 2, 3] as const)[i % 3]!;
          return generateProblem(family, random, 'test', { language, difficulty, thinking });
        });
        return { family: family.name, language, thinking, problems: set };
      }),
    ),
  );
}

interface Answer {
  response: string;
  statistics: GenerationStatistics;
}

async function ask(
  assistant: Assistant,
  engine: Engine,
  { thinking, messages }: Problem,
  maxTokens: number,
): Promise<Answer> {
  let response = '';
  for await (const event of assistant.reply(messages, { thinking, maxTokens }, engine)) {
    if (event.type === 'text-delta') response += event.text;
    if (event.type === 'finish') return { response, statistics: event.statistics };
  }
  throw new Error('a reply ended without a finish');
}

function judge(
  problems: readonly Problem[],
  answers: readonly Answer[],
): Omit<FamilyResult, 'family' | 'language' | 'thinking'> {
  const sum = (value: (statistics: GenerationStatistics) => number) =>
    answers.reduce((total, { statistics }) => total + value(statistics), 0);
  const verifications = sum((statistics) => statistics.verifications);
  const verified = sum((statistics) => statistics.verifiedTokens);
  const wrong = problems.flatMap((problem, i) => {
    const { response } = answers[i]!;
    if (problem.verify(response)) return [];
    const question = String(problem.messages.at(-1)!.content);
    return [{ question, expected: problem.answer, response }];
  });
  return {
    problems: problems.length,
    correct: problems.length - wrong.length,
    tokens: sum(({ tokens }) => tokens),
    acceptanceLength: verifications > 0 ? verified / verifications : null,
    mistakes: wrong.slice(0, mistakesKept),
  };
}

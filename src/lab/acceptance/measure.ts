import { Engine } from '../../engine/engine.ts';
import { GenerationStatistics } from '../../engine/statistics.ts';
import type { TrainableModel } from '../../model/weights.ts';
import { Random } from '../../random.ts';
import {
  FAMILIES,
  generateProblem,
  LANGUAGES,
  type Level,
  type Problem,
} from '../../tasks/index.ts';
import { regularMessages } from '../../text/chat-messages.ts';
import { renderGuarded } from '../../text/chat-template.ts';
import type { TextFiles } from '../../text/text-files.ts';
import { score } from '../../train/objective.ts';
import { type LossMeans, LossSums } from '../../train/step-sums.ts';
import { trainingBatch } from '../../train/targets.ts';

/** Of the first turns of the answers to some problems. */
export interface Acceptance {
  /** Mean tokens of a verified step; null if no step drafted. */
  acceptanceLength: number | null;
  /** By MTP head: the share of its drafts that were right where those before were. */
  hitRates: number[];
  /** Mean entropy of the distributions that the tokens were drawn from at temperature 1, in nats. */
  entropy: number;
  /** Mean −log π of the tokens drawn, in nats. */
  crossEntropy: number;
  tokens: number;
}

/** In f32: its tokens are scored by the pass that training takes. */
export interface MeasuredModel {
  model: TrainableModel;
  text: TextFiles;
}

export interface AcceptanceOptions {
  family: string;
  level: Level;
  problems: number;
  temperature: number;
  maxTokens: number;
}

/** Generates with all MTP heads, and scores the very tokens that were generated. */
export async function measureAcceptance(
  measured: MeasuredModel,
  { family: name, level, problems, temperature, maxTokens }: AcceptanceOptions,
): Promise<Acceptance> {
  const { model, text } = measured;
  const family = FAMILIES.find((each) => each.name === name)!;
  const random = new Random(1, `acceptance ${name} ${level}`);
  const asked = Array.from({ length: problems }, (_, i) => {
    const language = LANGUAGES[i % LANGUAGES.length]!;
    const thinking = i % 4 < 2;
    return generateProblem(family, random, 'test', { language, level, thinking });
  });
  const engine = new Engine(model, { vocabSize: text.tokenizer.vocabSize });
  const statistics = new GenerationStatistics();
  try {
    const answers = await Promise.all(
      asked.map(async (problem, seed): Promise<Answer> => {
        const prompt = promptOf(text, problem);
        const answer: number[] = [];
        const options = { maxTokens, seed, sampling: { temperature } };
        for await (const step of engine.generate(prompt, options)) {
          statistics.add(step);
          answer.push(...step.tokens);
        }
        return { prompt, answer };
      }),
    );
    const { loss, entropy } = await scoreAnswers(model, answers);
    const { acceptanceLength, hitRates, tokens } = statistics;
    return { acceptanceLength, hitRates, entropy, crossEntropy: loss, tokens };
  } finally {
    await engine.release();
  }
}

interface Answer {
  prompt: number[];
  answer: number[];
}

/** Tokens that are scored together. */
const scoredTokens = 16_384;

async function scoreAnswers(model: TrainableModel, answers: readonly Answer[]): Promise<LossMeans> {
  const sums = new LossSums();
  const size = ({ prompt, answer }: Answer) => prompt.length + answer.length;
  for (let begin = 0, end = 0; begin < answers.length; begin = end) {
    let tokens = 0;
    while (
      end < answers.length &&
      (end === begin || tokens + size(answers[end]!) <= scoredTokens)
    ) {
      tokens += size(answers[end++]!);
    }
    const together = answers.slice(begin, end);
    const batch = trainingBatch(
      together.map(({ prompt, answer }) => [...prompt, ...answer]),
      together.map(({ prompt, answer }) => [...prompt.map(() => 0), ...answer.map(() => 1)]),
    );
    sums.add(batch, await score(model, batch, 0));
  }
  return sums.means();
}

function promptOf(
  { tokenizer, chatTemplate }: TextFiles,
  { messages, thinking, tools }: Problem,
): number[] {
  const rendered = renderGuarded(tokenizer, chatTemplate, regularMessages(messages), {
    enableThinking: thinking,
    ...(tools && { tools }),
    addGenerationPrompt: true,
  });
  return tokenizer.encode(rendered);
}

export { DOMAINS } from './domains.ts';
export { FAMILIES, familyNames } from './families.ts';
export { MIMOFLASH_SYSTEM } from './persona.ts';
export { MOST_TURNS, play } from './play.ts';
export {
  answerOf,
  type Call,
  finalAnswer,
  type Response,
  readTurns,
  type Turn,
} from './response.ts';
export {
  DEFAULT_MIXTURE,
  drawLength,
  followUp,
  generateProblem,
  type Mixture,
  mixtureOf,
  sampleProblem,
  solvedChat,
} from './sample.ts';
export {
  LANGUAGES,
  type Language,
  LEVELS,
  type Level,
  type Problem,
  type ProblemOptions,
  type Split,
  splitOf,
  type TaskFamily,
  type ToolSession,
} from './task.ts';
export { MIMOFLASH_TEMPLATE, tokenizerCorpus, toTrainingText } from './training-text.ts';
export type { Verdict } from './verdict.ts';

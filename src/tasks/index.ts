export { MIMOFLASH_SYSTEM } from './persona.ts';
export {
  DEFAULT_MIXTURE,
  FAMILIES,
  followUp,
  generateProblem,
  type Mixture,
  sampleProblem,
  solvedChat,
} from './sample.ts';
export {
  acceptsOnly,
  type Difficulty,
  finalAnswer,
  type Language,
  type Problem,
  type ProblemOptions,
  type Split,
  splitOf,
  type TaskFamily,
} from './task.ts';
export { MIMOFLASH_TEMPLATE, tokenizerCorpus, toTrainingText } from './training-text.ts';

/** All task families. */
import { arithmetic } from './arithmetic.ts';
import { code, pipelines } from './code/index.ts';
import { conversation } from './conversation/index.ts';
import { dialogue } from './dialogue.ts';
import { equations } from './equations/index.ts';
import { functions } from './functions/index.ts';
import { instructions } from './instructions/index.ts';
import { knowledge } from './knowledge/index.ts';
import { gsmGraph } from './long-context/gsm-graph.ts';
import { needles } from './long-context/needles.ts';
import { tracking } from './long-context/tracking.ts';
import { recall } from './recall.ts';
import { safety } from './safety/index.ts';
import { shell } from './shell/index.ts';
import { strings } from './strings.ts';
import type { TaskFamily } from './task.ts';
import { wordProblems } from './word-problems/index.ts';

/** `dialogue` is the first model's; `conversation` has taken its place. */
export const FAMILIES: readonly TaskFamily[] = [
  arithmetic,
  recall,
  strings,
  dialogue,
  equations,
  wordProblems,
  needles,
  tracking,
  gsmGraph,
  code,
  shell,
  functions,
  instructions,
  conversation,
  knowledge,
  safety,
  pipelines,
];

export const familyNames: readonly string[] = FAMILIES.map(({ name }) => name);

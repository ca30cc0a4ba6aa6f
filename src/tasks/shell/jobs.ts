/**
 * What there is to do in a shell. Each job knows its files before and after, the calls that do it,
 * and what the shell says to each call, so that nothing has to be run to make a problem.
 */
import type { Random } from '../../random.ts';
import type { Level } from '../task.ts';
import {
  changeSetting,
  changeTwo,
  copyValue,
  countMatches,
  findAndChange,
  linesTogether,
  renameFound,
} from './long-jobs.ts';
import { countFiles, findWord, firstLine, linesOf, moveFile, writeFile } from './short-jobs.ts';
import type { Job } from './steps.ts';

/** Easy: one command. Medium: a command and an edit, or a sum of two. Hard: three steps or more. */
export function randomJob(random: Random, level: Level): Job {
  return random.pick(JOBS[level])(random);
}

const JOBS: Record<Level, readonly ((random: Random) => Job)[]> = {
  easy: [linesOf, countFiles, findWord, firstLine, moveFile, writeFile],
  medium: [changeSetting, changeSetting, countMatches, linesTogether, renameFound],
  hard: [findAndChange, copyValue, changeTwo],
};

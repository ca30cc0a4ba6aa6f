/** What jobs in a shell are made of: the calls that do them, with what the shell says to each. */
import type { Phrase } from '../words.ts';
import type { Files } from './sandbox.ts';

export interface Step {
  thought: Phrase;
  name: 'bash' | 'str_replace';
  arguments: Record<string, string>;
  output: string;
}

export interface Job {
  ask: Phrase;
  before: Files;
  after: Files;
  steps: Step[];
  /** What `finish` is to be given; null where the files are the result, and any word will do. */
  answer: string | null;
  /** A thought before the end, where the answer has to be worked out. */
  conclusion?: Phrase;
}

/** What is said of a command that prints nothing. */
export const NO_OUTPUT = '(no output)';

export function bash(command: string, output: string, thought: Phrase): Step {
  return { thought, name: 'bash', arguments: { command }, output };
}

function replace(path: string, old: string, replacement: string, thought: Phrase): Step {
  const parameters = { path, old, new: replacement };
  return { thought, name: 'str_replace', arguments: parameters, output: 'replaced' };
}

export function search(text: string, found: string): Step {
  return bash(`grep -rl '${text}' .`, found, { en: 'Search for it.', zh: '搜索它。' });
}

export function show(path: string, files: Files): Step {
  return bash(`cat ${path}`, files[path]!.trimEnd(), { en: 'First look.', zh: '先看一看。' });
}

export function replaceSetting(path: string, key: string, old: string, value: string): Step {
  return replace(path, `${key}=${old}`, `${key}=${value}`, {
    en: `${key} is ${old}; make it ${value}.`,
    zh: `${key}现在是${old}，改成${value}。`,
  });
}

/** A job that asks for something and changes nothing. */
export function unchanged(ask: Phrase, files: Files, steps: Step[], answer: string): Job {
  return { ask, before: files, after: files, steps, answer };
}

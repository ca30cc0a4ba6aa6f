/**
 * What there is to do in a shell. Each job knows its files before and after, the calls that do it,
 * and what the shell says to each call, so that nothing has to be run to make a problem.
 */
import type { Random } from '../../random.ts';
import { workedSum } from '../sums.ts';
import type { Level } from '../task.ts';
import type { Phrase } from '../words.ts';
import {
  otherSetting,
  randomFiles,
  randomLine,
  randomSettings,
  WORDS,
  writeSettings,
} from './folder.ts';
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

/** Easy: one command. Medium: a command and an edit, or a sum of two. Hard: three steps or more. */
export function randomJob(random: Random, level: Level): Job {
  return random.pick(JOBS[level])(random);
}

const JOBS: Record<Level, readonly ((random: Random) => Job)[]> = {
  easy: [countLines, countFiles, findWord, firstLine, moveFile, writeFile],
  medium: [changeSetting, changeSetting, countMatches, linesTogether, renameFound],
  hard: [findAndChange, copyValue, changeTwo],
};

const NO_OUTPUT = '(no output)';

function bash(command: string, output: string, thought: Phrase): Step {
  return { thought, name: 'bash', arguments: { command }, output };
}

function replace(path: string, old: string, replacement: string, thought: Phrase): Step {
  const parameters = { path, old, new: replacement };
  return { thought, name: 'str_replace', arguments: parameters, output: 'replaced' };
}

function unchanged(ask: Phrase, files: Files, steps: Step[], answer: string): Job {
  return { ask, before: files, after: files, steps, answer };
}

const lineCount = (text: string) => text.split('\n').length - 1;
const LOOK: Phrase = { en: 'First look.', zh: '先看一看。' };

function countLines(random: Random): Job {
  const files = randomFiles(random, random.int(2, 4), [1, 9]);
  const path = random.pick(Object.keys(files));
  const count = String(lineCount(files[path]!));
  return unchanged(
    { en: `How many lines has ${path}?`, zh: `${path}有多少行？` },
    files,
    [bash(`wc -l < ${path}`, count, { en: 'Count the lines.', zh: '数行数。' })],
    count,
  );
}

function countFiles(random: Random): Job {
  const files = randomFiles(random, random.int(3, 8), [1, 3]);
  const ending = random.pick(Object.keys(files)).split('.').at(-1)!;
  const count = String(Object.keys(files).filter((path) => path.endsWith(`.${ending}`)).length);
  return unchanged(
    {
      en: `How many files here end in .${ending}, folders included?`,
      zh: `这里（包括子文件夹）有多少个.${ending}文件？`,
    },
    files,
    [
      bash(`find . -name '*.${ending}' | wc -l`, count, {
        en: 'Find and count them.',
        zh: '查找并计数。',
      }),
    ],
    count,
  );
}

function findWord(random: Random): Job {
  const { files, path, word } = filesWithWord(random, random.int(3, 5));
  return unchanged(
    { en: `Which file contains the word ${word}?`, zh: `哪个文件包含单词${word}？` },
    files,
    [search(word, path)],
    path,
  );
}

function firstLine(random: Random): Job {
  const files = randomFiles(random, random.int(2, 4), [2, 6]);
  const path = random.pick(Object.keys(files));
  const last = random.chance(0.5);
  const line = files[path]!.trimEnd()
    .split('\n')
    .at(last ? -1 : 0)!;
  return unchanged(
    last
      ? { en: `What is the last line of ${path}?`, zh: `${path}的最后一行是什么？` }
      : { en: `What is the first line of ${path}?`, zh: `${path}的第一行是什么？` },
    files,
    [bash(`${last ? 'tail' : 'head'} -n 1 ${path}`, line, { en: 'Show it.', zh: '显示这一行。' })],
    line,
  );
}

function moveFile(random: Random): Job {
  const files = randomFiles(random, random.int(2, 4), [1, 3]);
  const path = random.pick(Object.keys(files));
  const { [path]: text, ...rest } = files;
  if (random.chance(0.4)) {
    const ask = { en: `Delete ${path}.`, zh: `删除${path}。` };
    const steps = [bash(`rm ${path}`, NO_OUTPUT, { en: 'Remove it.', zh: '删除它。' })];
    return { ask, before: files, after: rest, steps, answer: null };
  }
  const name = `${random.pick(WORDS)}.${path.split('.').at(-1)}`;
  return {
    ask: { en: `Rename ${path} to ${name}.`, zh: `把${path}改名为${name}。` },
    before: files,
    after: { ...rest, [name]: text! },
    steps: [bash(`mv ${path} ${name}`, NO_OUTPUT, { en: 'Move it.', zh: '移动它。' })],
    answer: null,
  };
}

function writeFile(random: Random): Job {
  const files = randomFiles(random, random.int(1, 3), [1, 3]);
  const line = randomLine(random);
  const path = random.pick(Object.keys(files));
  if (random.chance(0.5)) {
    return {
      ask: { en: `Add the line "${line}" to ${path}.`, zh: `在${path}末尾加一行“${line}”。` },
      before: files,
      after: { ...files, [path]: `${files[path]}${line}\n` },
      steps: [bash(`echo '${line}' >> ${path}`, NO_OUTPUT, { en: 'Append it.', zh: '追加。' })],
      answer: null,
    };
  }
  const name = `${random.pick(WORDS)}-${random.int(1, 99)}.txt`;
  return {
    ask: {
      en: `Make a file ${name} with the line "${line}".`,
      zh: `新建文件${name}，内容为“${line}”。`,
    },
    before: files,
    after: { ...files, [name]: `${line}\n` },
    steps: [bash(`echo '${line}' > ${name}`, NO_OUTPUT, { en: 'Write it.', zh: '写入。' })],
    answer: null,
  };
}

function changeSetting(random: Random): Job {
  const { files, path, settings } = filesWithSettings(random, 1);
  const key = random.pick([...settings.keys()]);
  const old = settings.get(key)!;
  const value = otherSetting(random, old);
  const after = new Map(settings).set(key, value);
  return {
    ask: { en: `Set ${key} to ${value} in ${path}.`, zh: `在${path}里把${key}设为${value}。` },
    before: files,
    after: { ...files, [path]: writeSettings(after) },
    steps: [show(path, files), replaceSetting(path, key, old, value)],
    answer: null,
  };
}

function countMatches(random: Random): Job {
  const { files, path, word } = filesWithWord(random, random.int(2, 4));
  const lines = random.int(1, 4);
  const text = files[path]! + `${word} ${random.pick(WORDS)}\n`.repeat(lines);
  const before = { ...files, [path]: text };
  const count = String(text.split('\n').filter((line) => line.includes(word)).length);
  return unchanged(
    {
      en: `One file contains the word ${word}. On how many lines of it?`,
      zh: `有一个文件包含单词${word}。它有多少行包含这个词？`,
    },
    before,
    [
      search(word, path),
      bash(`grep -c '${word}' ${path}`, count, { en: 'Count its lines.', zh: '数行数。' }),
    ],
    count,
  );
}

function linesTogether(random: Random): Job {
  const files = randomFiles(random, 3, [1, 9]);
  const [first, second] = random.shuffle(Object.keys(files));
  const counts = [first!, second!].map((path) => lineCount(files[path]!));
  const total = counts[0]! + counts[1]!;
  const count = (path: string, i: number) =>
    bash(`wc -l < ${path}`, String(counts[i]), {
      en: `Count the lines of ${path}.`,
      zh: `数${path}的行数。`,
    });
  const sum = workedSum(counts[0]!, '+', counts[1]!);
  const ask = {
    en: `How many lines have ${first} and ${second} together?`,
    zh: `${first}和${second}一共有多少行？`,
  };
  const steps = [count(first!, 0), count(second!, 1)];
  return { ...unchanged(ask, files, steps, String(total)), conclusion: { en: sum, zh: sum } };
}

function renameFound(random: Random): Job {
  const { files, path, word } = filesWithWord(random, random.int(3, 5));
  const name = `${random.pick(WORDS)}.${path.split('.').at(-1)}`;
  const { [path]: text, ...rest } = files;
  return {
    ask: {
      en: `Rename the file that contains the word ${word} to ${name}.`,
      zh: `把包含单词${word}的文件改名为${name}。`,
    },
    before: files,
    after: { ...rest, [name]: text! },
    steps: [
      search(word, path),
      bash(`mv ${path} ${name}`, NO_OUTPUT, { en: 'Move it.', zh: '移动它。' }),
    ],
    answer: null,
  };
}

function findAndChange(random: Random): Job {
  const { files, path, settings } = filesWithSettings(random, 3);
  const others = Object.entries(files).filter(([other]) => other !== path);
  const key = [...settings.keys()].find((k) => others.every(([, text]) => !text.includes(`${k}=`)));
  if (key === undefined) return findAndChange(random);
  const old = settings.get(key)!;
  const value = otherSetting(random, old);
  return {
    ask: {
      en: `One of the files sets ${key}. Change it to ${value} there.`,
      zh: `有一个文件设置了${key}。把它改成${value}。`,
    },
    before: files,
    after: { ...files, [path]: writeSettings(new Map(settings).set(key, value)) },
    steps: [search(`${key}=`, path), show(path, files), replaceSetting(path, key, old, value)],
    answer: null,
  };
}

function copyValue(random: Random): Job {
  const { files, path, settings } = filesWithSettings(random, 2);
  const other = Object.keys(files).find((name) => name !== path)!;
  const key = random.pick([...settings.keys()]);
  const wanted = settings.get(key)!;
  const value = otherSetting(random, wanted);
  const target = new Map([...settings].slice(0, 2)).set(key, value);
  const before = { ...files, [other]: writeSettings(target) };
  return {
    ask: {
      en: `Give ${key} in ${other} the value that it has in ${path}.`,
      zh: `把${other}里的${key}改成它在${path}里的值。`,
    },
    before,
    after: { ...before, [other]: writeSettings(new Map(target).set(key, wanted)) },
    steps: [show(path, before), show(other, before), replaceSetting(other, key, value, wanted)],
    answer: null,
  };
}

function changeTwo(random: Random): Job {
  const { files, path, settings } = filesWithSettings(random, 1);
  const [first, second] = random.shuffle([...settings.keys()]);
  const values = [first!, second!].map((key) => otherSetting(random, settings.get(key)!));
  const after = new Map(settings).set(first!, values[0]!).set(second!, values[1]!);
  return {
    ask: {
      en: `In ${path} set ${first} to ${values[0]} and ${second} to ${values[1]}.`,
      zh: `在${path}里把${first}设为${values[0]}，把${second}设为${values[1]}。`,
    },
    before: files,
    after: { ...files, [path]: writeSettings(after) },
    steps: [
      show(path, files),
      replaceSetting(path, first!, settings.get(first!)!, values[0]!),
      replaceSetting(path, second!, settings.get(second!)!, values[1]!),
    ],
    answer: null,
  };
}

/** Files of which one has a word that the others lack. */
function filesWithWord(random: Random, count: number) {
  const drawn = randomFiles(random, count, [1, 4]);
  const path = random.pick(Object.keys(drawn));
  const all = Object.values(drawn).join(' ');
  const word = random.pick(WORDS.filter((candidate) => !all.includes(candidate)));
  const line = `${random.pick(WORDS.filter((other) => other !== word))} ${word}`;
  return { files: { ...drawn, [path]: `${drawn[path]}${line}\n` }, path, word };
}

/** Files of which one, or all when there are more, hold settings. */
function filesWithSettings(random: Random, count: number) {
  const names = random.shuffle(['app', 'server', 'client', 'site', 'game', 'test']).slice(0, count);
  const all = names.map(
    (name) => [`${name}.conf`, randomSettings(random, random.int(3, 5))] as const,
  );
  const [path, settings] = all[0]!;
  const files: Files = Object.fromEntries(all.map(([name, own]) => [name, writeSettings(own)]));
  return { files, path, settings };
}

function search(text: string, found: string): Step {
  return bash(`grep -rl '${text}' .`, found, { en: 'Search for it.', zh: '搜索它。' });
}

function show(path: string, files: Files): Step {
  return bash(`cat ${path}`, files[path]!.trimEnd(), LOOK);
}

function replaceSetting(path: string, key: string, old: string, value: string): Step {
  return replace(path, `${key}=${old}`, `${key}=${value}`, {
    en: `${key} is ${old}; make it ${value}.`,
    zh: `${key}现在是${old}，改成${value}。`,
  });
}

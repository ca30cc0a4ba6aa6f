/** Jobs of several steps. */
import type { Random } from '../../random.ts';
import { workedSum } from '../sums.ts';
import {
  countLines,
  filesWithSettings,
  filesWithWord,
  otherSetting,
  randomFiles,
  WORDS,
  writeSettings,
} from './folder.ts';
import { bash, type Job, NO_OUTPUT, replaceSetting, search, show, unchanged } from './steps.ts';

export function changeSetting(random: Random): Job {
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

export function countMatches(random: Random): Job {
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

export function linesTogether(random: Random): Job {
  const files = randomFiles(random, 3, [1, 9]);
  const [first, second] = random.shuffle(Object.keys(files));
  const counts = [first!, second!].map((path) => countLines(files[path]!));
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

export function renameFound(random: Random): Job {
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

export function findAndChange(random: Random): Job {
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

export function copyValue(random: Random): Job {
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

export function changeTwo(random: Random): Job {
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

/** Jobs of one command. */
import type { Random } from '../../random.ts';
import { countLines, filesWithWord, randomFiles, randomLine, WORDS } from './folder.ts';
import { bash, type Job, NO_OUTPUT, search, unchanged } from './steps.ts';

export function linesOf(random: Random): Job {
  const files = randomFiles(random, random.int(2, 4), [1, 9]);
  const path = random.pick(Object.keys(files));
  const count = String(countLines(files[path]!));
  return unchanged(
    { en: `How many lines has ${path}?`, zh: `${path}有多少行？` },
    files,
    [bash(`wc -l < ${path}`, count, { en: 'Count the lines.', zh: '数行数。' })],
    count,
  );
}

export function countFiles(random: Random): Job {
  const files = randomFiles(random, random.int(3, 8), [1, 3]);
  const name = random.pick(Object.keys(files)).split('/').at(-1)!;
  const [letter, ending] = [name[0]!, name.split('.').at(-1)!];
  const isMeant = (path: string) =>
    path.split('/').at(-1)!.startsWith(letter) && path.endsWith(`.${ending}`);
  const count = String(Object.keys(files).filter(isMeant).length);
  return unchanged(
    {
      en: `How many files here begin with ${letter} and end in .${ending}, folders included?`,
      zh: `这里（包括子文件夹）有多少个以${letter}开头的.${ending}文件？`,
    },
    files,
    [
      bash(`find . -name '${letter}*.${ending}' | wc -l`, count, {
        en: 'Find and count them.',
        zh: '查找并计数。',
      }),
    ],
    count,
  );
}

export function findWord(random: Random): Job {
  const { files, path, word } = filesWithWord(random, random.int(3, 5));
  return unchanged(
    { en: `Which file contains the word ${word}?`, zh: `哪个文件包含单词${word}？` },
    files,
    [search(word, path)],
    path,
  );
}

export function firstLine(random: Random): Job {
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

export function moveFile(random: Random): Job {
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

export function writeFile(random: Random): Job {
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

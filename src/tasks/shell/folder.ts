/** Folders of small files to work in, and what common commands say of them. */
import type { Random } from '../../random.ts';
import type { Files } from './sandbox.ts';

/** `count` files of lines of words, some in folders below. */
export function randomFiles(random: Random, count: number, lines: [number, number]): Files {
  const files: Record<string, string> = {};
  const folders = random.shuffle(FOLDERS).slice(0, random.int(1, 3));
  for (const name of random.shuffle(FILES).slice(0, count)) {
    const folder = random.chance(0.6) ? `${random.pick(folders)}/` : '';
    files[`${folder}${name}.${random.pick(ENDINGS)}`] = randomLines(random, random.int(...lines));
  }
  return files;
}

function randomLines(random: Random, count: number): string {
  return Array.from({ length: count }, () => `${randomLine(random)}\n`).join('');
}

export function randomLine(random: Random): string {
  return Array.from({ length: random.int(1, 3) }, () => random.pick(WORDS)).join(' ');
}

/** A file of settings, `key=value` on each line. */
function randomSettings(random: Random, count: number): Map<string, string> {
  const keys = random.shuffle(SETTINGS).slice(0, count);
  return new Map(keys.map((key) => [key, randomSetting(random)]));
}

/** A value for a setting that is not the one it has. */
export function otherSetting(random: Random, old: string): string {
  for (;;) {
    const value = randomSetting(random);
    if (value !== old) return value;
  }
}

function randomSetting(random: Random): string {
  return random.chance(0.7) ? String(random.int(10, 999)) : random.pick(WORDS);
}

export function writeSettings(settings: ReadonlyMap<string, string>): string {
  return [...settings].map(([key, value]) => `${key}=${value}\n`).join('');
}

/** Files of which one has a word that the others lack. */
export function filesWithWord(random: Random, count: number) {
  const drawn = randomFiles(random, count, [1, 4]);
  const path = random.pick(Object.keys(drawn));
  const all = Object.values(drawn).join(' ');
  const word = random.pick(WORDS.filter((candidate) => !all.includes(candidate)));
  const line = `${random.pick(WORDS.filter((other) => other !== word))} ${word}`;
  return { files: { ...drawn, [path]: `${drawn[path]}${line}\n` }, path, word };
}

/** Files of settings; `path` is one of them, and `settings` are its. */
export function filesWithSettings(random: Random, count: number) {
  const names = random.shuffle(['app', 'server', 'client', 'site', 'game', 'test']).slice(0, count);
  const all = names.map(
    (name) => [`${name}.conf`, randomSettings(random, random.int(3, 5))] as const,
  );
  const [path, settings] = all[0]!;
  const files: Files = Object.fromEntries(all.map(([name, own]) => [name, writeSettings(own)]));
  return { files, path, settings };
}

export function countLines(text: string): number {
  return text.split('\n').length - 1;
}

export const WORDS =
  `red blue green black white river stone house light night apple bread sugar salt
water fire wind cloud storm snow bird fish horse tree leaf root seed gold iron glass paper song
drum bell ship road bridge tower garden window`.split(/\s+/);

const FOLDERS = ['src', 'docs', 'data', 'logs', 'notes', 'lists', 'old', 'lib'];
const FILES = `main list plan draft index table report letter memo recipe names items stock orders
journal summary todo readme story poem`.split(/\s+/);
const ENDINGS = ['txt', 'txt', 'md', 'log', 'csv'];
const SETTINGS = `port size limit color width height speed level mode delay count depth title user
timeout retries`.split(/\s+/);

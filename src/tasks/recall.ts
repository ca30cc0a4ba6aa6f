/**
 * A list of facts about people and one to four questions about them, the last of which is the problem.
 * What has to be learnt is to look back: names and values are drawn anew for every list.
 */
import type { ChatMessage } from '../text/chat-messages.ts';
import type { Language, TaskFamily } from './task.ts';
import { acceptsOnly } from './verdict.ts';
import { NAMES } from './words.ts';

interface Relation {
  values: readonly string[];
  /** Wordings of a fact. */
  state: readonly ((name: string, value: string) => string)[];
  /** Questions that a value answers. */
  ask: readonly ((name: string) => string)[];
}

/**
 * Easy: 2 or 3 facts. Medium: 4 or 5. Hard: 6 or 7. Thinking repeats the fact that answers: what a
 * name stands for is found by looking for the name.
 */
export const recall: TaskFamily = {
  name: 'recall',
  description: 'answers questions from facts stated before them, or repeats the facts',
  generate(random, { language, level, thinking }) {
    const relation = random.pick(RELATIONS[language]);
    const count = FEWEST[level] + random.int(0, 1);
    const names = random.shuffle(NAMES[language]).slice(0, count);
    const values = random.shuffle(relation.values).slice(0, count);
    const state = random.pick(relation.state);
    const facts = names.map((name, i) => state(name, values[i]!));

    const separator = random.chance(0.3) ? '\n' : language === 'en' ? ' ' : '';

    // Several questions about one list: what they ask of is paid for once.
    const questions = random.shuffle(names.map((_, i) => i)).slice(0, random.int(1, 4));
    const turns: Turn[] = questions.map((asked) => ({
      question: random.pick(relation.ask)(names[asked]!),
      answer: values[asked]!,
      ...(thinking ? { reasoning: facts[asked]! } : {}),
    }));
    if (random.chance(0.3)) {
      turns[0] = { question: random.pick(REPEAT[language]), answer: facts.join(separator) };
    }
    const last = turns.pop()!;
    const messages: ChatMessage[] = turns.flatMap((turn) => [
      { role: 'user', content: turn.question },
      answered(turn),
    ]);
    messages.push({ role: 'user', content: last.question });
    const first = messages[0]!;
    first.content = [...facts, first.content].join(separator);
    const pairs = names.map((name, i) => `${name}=${values[i]}`).sort();
    return {
      family: 'recall',
      key: `recall ${pairs.join(' ')}`,
      messages,
      thinking,
      solution: [answered(last)],
      verify: acceptsOnly(last.answer),
    };
  },
};

interface Turn {
  question: string;
  answer: string;
  reasoning?: string;
}

function answered({ answer, reasoning }: Turn): ChatMessage {
  return {
    role: 'assistant',
    content: answer,
    ...(reasoning !== undefined && { reasoning_content: reasoning }),
  };
}

const FEWEST = { easy: 2, medium: 4, hard: 6 } as const;

/** Copying a whole list is the simplest recall, and teaches a model to look back. */
const REPEAT: Record<Language, readonly string[]> = {
  en: ['Repeat the facts.', 'Say that again.', 'List all facts.'],
  zh: ['重复一遍。', '再说一次。', '列出全部。'],
};

const AGES = Array.from({ length: 90 }, (_, i) => String(i + 10));

const RELATIONS: Record<Language, readonly Relation[]> = {
  en: [
    {
      values: ['red', 'blue', 'green', 'black', 'white', 'pink', 'gold', 'gray', 'brown', 'purple'],
      state: [(name, value) => `${name} likes ${value}.`, (name, value) => `${name}: ${value}.`],
      ask: [(name) => `What color does ${name} like?`, (name) => `What is ${name}'s color?`],
    },
    {
      values: ['book', 'cup', 'hat', 'key', 'lamp', 'map', 'pen', 'ring', 'box', 'coin', 'bag'],
      state: [(name, value) => `${name} has the ${value}.`, (name, value) => `${name}: ${value}.`],
      ask: [(name) => `What does ${name} have?`],
    },
    {
      values: AGES,
      state: [(name, value) => `${name} is ${value}.`, (name, value) => `${name}: ${value}.`],
      ask: [(name) => `How old is ${name}?`, (name) => `What is ${name}'s number?`],
    },
  ],
  zh: [
    {
      values: ['红色', '蓝色', '绿色', '黑色', '白色', '粉色', '金色', '灰色', '棕色', '紫色'],
      state: [(name, value) => `${name}喜欢${value}。`, (name, value) => `${name}：${value}。`],
      ask: [(name) => `${name}喜欢什么颜色？`, (name) => `${name}的颜色是什么？`],
    },
    {
      values: ['书', '杯子', '帽子', '钥匙', '灯', '地图', '笔', '戒指', '盒子', '硬币', '包'],
      state: [(name, value) => `${name}有${value}。`, (name, value) => `${name}：${value}。`],
      ask: [(name) => `${name}有什么？`],
    },
    {
      values: AGES,
      state: [(name, value) => `${name}${value}岁。`, (name, value) => `${name}：${value}。`],
      ask: [(name) => `${name}几岁？`, (name) => `${name}是多少？`],
    },
  ],
};

/**
 * Talk: about the model itself, with the truth, and about what the user has said before. What the user
 * never said is answered with just that.
 */
import type { Random } from '../../random.ts';
import type { ChatMessage } from '../../text/chat-messages.ts';
import { wordDialogue } from '../dialogue.ts';
import { solve } from '../solution.ts';
import type { Language, Problem, ProblemOptions, TaskFamily } from '../task.ts';
import { acceptsOnly } from '../verdict.ts';
import { CITIES, COLORS, NAMES, type Phrase, phrases, withArticle } from '../words.ts';
import { CONVERSATION_INTENTS } from './intents.ts';

/**
 * Easy: one remark or question. Medium: what the user said before some other turns. Hard: several
 * things said, one of them corrected later, or one that was never said.
 */
export const conversation: TaskFamily = {
  name: 'conversation',
  description: 'small talk, the truth about the model, and what the user said before',
  generate(random, options) {
    return options.level === 'easy'
      ? wordDialogue('conversation', CONVERSATION_INTENTS, random, options)
      : remember(random, options);
  },
};

interface Topic {
  values: readonly Phrase[];
  tell(value: string): Phrase;
  correct(value: string): Phrase;
  ask: readonly Phrase[];
  reply(value: string): Phrase;
  unknown: Phrase;
}

function remember(random: Random, { language, level, thinking }: ProblemOptions): Problem {
  const hard = level === 'hard';
  const [asked, ...others] = random.shuffle(TOPICS).slice(0, hard ? 3 : 2);
  const value = random.pick(asked!.values)[language];
  const never = hard && random.chance(0.3);
  const told: string[] = [];
  const messages: ChatMessage[] = [];
  const say = (text: string) => {
    told.push(text);
    messages.push({ role: 'user', content: text }, ...acknowledge(random, language));
  };
  for (const { tell, values } of hard ? others : []) {
    say(tell(random.pick(values)[language])[language]);
  }
  if (!never) {
    if (hard) {
      const before = random.pick(asked!.values.filter((other) => other[language] !== value));
      say(asked!.tell(before[language])[language]);
      say(asked!.correct(value)[language]);
    } else {
      say(asked!.tell(value)[language]);
    }
  }
  // Other talk comes between.
  const between = wordDialogue('conversation', CONVERSATION_INTENTS, random, {
    language,
    level: 'easy',
    thinking,
  });
  messages.push(...between.messages, ...between.solution);
  const question = random.pick(asked!.ask)[language];
  messages.push({ role: 'user', content: question });
  const answer = (never ? asked!.unknown : asked!.reply(value))[language];
  const source = told.at(-1);
  return {
    family: 'conversation',
    key: `conversation ${told.join(' ')} ${question} ${String(between.messages[0]!.content)}`,
    messages,
    thinking,
    solution: solve(thinking, thinking && !never ? [source!] : [], answer),
    verify: never ? acceptsOnly(answer) : acceptsOnly(answer, value),
  };
}

function acknowledge(random: Random, language: Language): ChatMessage[] {
  return [{ role: 'assistant', content: random.pick(ACKNOWLEDGEMENTS)[language] }];
}

const ACKNOWLEDGEMENTS: readonly Phrase[] = [
  { en: 'I see.', zh: '我知道了。' },
  { en: 'Good to know.', zh: '好的，我记住了。' },
];

const PETS = phrases(
  'cat 猫; dog 狗; bird 鸟; fish 鱼; rabbit 兔子; turtle 乌龟; horse 马; mouse 老鼠',
).map(({ en, zh }) => ({ en: withArticle(en), zh }));
const FOODS = phrases(
  'bread 面包; rice 米饭; soup 汤; fish 鱼; cake 蛋糕; fruit 水果; noodles 面条',
);
const PEOPLE: readonly Phrase[] = NAMES.zh.map((zh, i) => ({ en: NAMES.en[i]!, zh }));

function topic(
  values: readonly Phrase[],
  tell: (value: string) => Phrase,
  noun: Phrase,
  ask: Phrase,
): Topic {
  return {
    values,
    tell,
    correct: (value) => ({
      en: `No, my ${noun.en} is ${value}.`,
      zh: `不对，我的${noun.zh}是${value}。`,
    }),
    ask: [ask, { en: `Do you remember my ${noun.en}?`, zh: `你记得我的${noun.zh}吗？` }],
    reply: (value) => ({ en: `Your ${noun.en} is ${value}.`, zh: `你的${noun.zh}是${value}。` }),
    unknown: { en: `You have not told me your ${noun.en}.`, zh: `你没有告诉我你的${noun.zh}。` },
  };
}

const TOPICS: readonly Topic[] = [
  topic(
    PEOPLE,
    (value) => ({ en: `My name is ${value}.`, zh: `我的名字是${value}。` }),
    { en: 'name', zh: '名字' },
    { en: 'What is my name?', zh: '我叫什么名字？' },
  ),
  topic(
    COLORS,
    (value) => ({ en: `I like ${value} best.`, zh: `我最喜欢${value}。` }),
    { en: 'favorite color', zh: '最喜欢的颜色' },
    { en: 'Which color do I like best?', zh: '我最喜欢什么颜色？' },
  ),
  topic(
    CITIES,
    (value) => ({ en: `I come from ${value}.`, zh: `我来自${value}。` }),
    { en: 'home town', zh: '家乡' },
    { en: 'Where do I come from?', zh: '我来自哪里？' },
  ),
  topic(
    PETS,
    (value) => ({ en: `I have ${value} at home.`, zh: `我家里养了${value}。` }),
    { en: 'pet', zh: '宠物' },
    { en: 'What pet do I have?', zh: '我养了什么宠物？' },
  ),
  topic(
    FOODS,
    (value) => ({ en: `I love ${value}.`, zh: `我爱吃${value}。` }),
    { en: 'favorite food', zh: '最爱吃的东西' },
    { en: 'What do I love to eat?', zh: '我爱吃什么？' },
  ),
];

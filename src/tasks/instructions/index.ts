/** Short texts about a subject that have to keep rules of form, in the manner of IFEval. */
import type { Random } from '../../random.ts';
import { answerOf, type Response } from '../response.ts';
import { solve } from '../solution.ts';
import type { Language, Level, TaskFamily } from '../task.ts';
import { CORRECT, type Verdict, wrong } from '../verdict.ts';
import { capitalize, type Phrase, phrases } from '../words.ts';
import { type Constraint, type Draft, makersFor, writeDraft } from './constraints.ts';

/** Easy: one rule. Medium: two. Hard: three or four. */
export const instructions: TaskFamily = {
  name: 'instructions',
  description: 'short texts that keep rules of form which a program can check',
  generate(random, { language, level, thinking }) {
    const subject = random.pick(SUBJECTS);
    const rules = chooseRules(random, language, random.int(...RULES[level]));
    const request = random.pick(REQUESTS)(subject)[language];
    const asked = rules.map(({ ask }) => ask[language]);
    const prompt = [request, ...asked].join(language === 'en' ? ' ' : '');
    return {
      family: 'instructions',
      key: `instructions ${[subject.en, ...rules.map(({ ask }) => ask.en).sort()].join(' ')}`,
      messages: [{ role: 'user', content: prompt }],
      thinking,
      solution: solve(thinking, thinking ? asked : [], compose(random, subject, rules, language)),
      verify: keeps(subject, rules, language),
    };
  },
};

const RULES: Record<Level, [number, number]> = { easy: [1, 1], medium: [2, 2], hard: [3, 4] };

/** Rules of different kinds; those that add sentences are applied before those that count them. */
function chooseRules(random: Random, language: Language, count: number): Constraint[] {
  const rules: Constraint[] = [];
  while (rules.length < count) {
    const rule = random.pick(makersFor(language))(random, language);
    if (rules.every(({ kind }) => kind !== rule.kind)) rules.push(rule);
  }
  const draft = apply(rules, { sentences: [], layout: 'line' });
  const keyword = rules.find(({ kind }) => kind === 'keyword');
  // A word cannot come three times in a text of two sentences that each have it once.
  const fits = keyword === undefined || keyword.holds(writeDraft(draft, language));
  return fits ? random.shuffle(rules) : chooseRules(random, language, count);
}

function apply(rules: readonly Constraint[], draft: Draft): Draft {
  const order = (rule: Constraint) => (rule.kind === 'keyword' ? 0 : 1);
  return rules
    .toSorted((a, b) => order(a) - order(b))
    .reduce((changed, rule) => rule.apply(changed), draft);
}

function compose(
  random: Random,
  subject: Phrase,
  rules: readonly Constraint[],
  language: Language,
): string {
  const name = subject[language];
  const capital = capitalize(name);
  const sentences = random
    .shuffle(SENTENCES)
    .map((sentence) => sentence[language].replaceAll('*', name).replace('#', capital));
  const isCounted = rules.some(({ kind }) => kind === 'count');
  const drawn = isCounted ? sentences : sentences.slice(0, random.int(1, 3));
  const titled = rules.some(({ kind }) => kind === 'title') ? { title: capital } : {};
  const draft = apply(rules, { ...titled, sentences: drawn, layout: 'line' });
  return writeDraft(draft, language);
}

function keeps(
  subject: Phrase,
  rules: readonly Constraint[],
  language: Language,
): (response: Response) => Promise<Verdict> {
  return async (response) => {
    const text = answerOf(response);
    if (text === '') return wrong('is empty');
    const broken = rules.find((rule) => !rule.holds(text));
    if (broken !== undefined) return wrong(`does not keep the rule: ${broken.ask[language]}`);
    // A text of nothing but keywords, titles and endings is about nothing.
    const isAbout = text.toLowerCase().includes(subject[language]);
    const isFull = rules.some(({ kind }) => kind === 'keyword');
    return isAbout || isFull ? CORRECT : wrong(`says nothing about ${subject[language]}`);
  };
}

const REQUESTS: readonly ((subject: Phrase) => Phrase)[] = [
  ({ en, zh }) => ({ en: `Write about ${en}.`, zh: `写一写${zh}。` }),
  ({ en, zh }) => ({ en: `Tell me something about ${en}.`, zh: `告诉我一些关于${zh}的事。` }),
  ({ en, zh }) => ({ en: `Say a little about ${en}.`, zh: `简单说说${zh}。` }),
];

const SUBJECTS =
  phrases(`cats 猫; dogs 狗; books 书; trees 树; rivers 河流; songs 歌曲; trains 火车;
flowers 花; houses 房子; stars 星星; birds 鸟; boats 船; bridges 桥; clouds 云; horses 马; markets 市场;
gardens 花园; islands 岛屿; lakes 湖泊; letters 信; roads 道路; toys 玩具; windows 窗户; games 游戏`);

/** `*` stands for the subject and `#` for the subject with a capital. */
const SENTENCES: readonly Phrase[] = [
  { en: 'Many people like *.', zh: '很多人喜欢*。' },
  { en: '# can be beautiful.', zh: '#可以很美。' },
  { en: 'There are * in many places.', zh: '很多地方都有*。' },
  { en: 'Some * are old and some are new.', zh: '有些*是旧的，有些*是新的。' },
  { en: 'Children often draw *.', zh: '孩子们常常画*。' },
  { en: 'People have known * for a long time.', zh: '人们很早就知道*。' },
  { en: '# are part of many stories.', zh: '很多故事里都有#。' },
  { en: 'One can learn much from *.', zh: '从*那里可以学到很多。' },
  { en: 'No two * are the same.', zh: '没有两个*是一样的。' },
  { en: '# come in many sizes.', zh: '#有大有小。' },
  { en: 'It is good to look at * with care.', zh: '仔细看看*是件好事。' },
  { en: 'Every country has its own *.', zh: '每个国家都有自己的*。' },
];

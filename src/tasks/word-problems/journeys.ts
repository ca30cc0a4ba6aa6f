/** Stories of days, pages, kilometers and years. */
import type { Phrase } from '../words.ts';
import { CITIES } from '../words.ts';
import type { Story } from './story.ts';

/** The same amount a day, for some days, and what is left of the whole. */
export function pages(story: Story): void {
  const who = story.person();
  const rounds = Math.max(1, Math.ceil((story.wanted - 1) / 2));
  let read = 0;
  for (let round = 0; round < rounds; round++) {
    const [each, days] = [story.number(Math.min(story.largest, 40)), story.random.int(2, 7)];
    const then: Phrase = round === 0 ? { en: '', zh: '' } : { en: 'Then ', zh: '然后' };
    story.say(
      {
        en: `${then.en}${who.en} reads ${each} pages a day for ${days} days.`,
        zh: `${then.zh}${who.zh}每天读${each}页，读了${days}天。`,
      },
      {
        en: `${then.en}${who.en} reads for ${days} days, ${each} pages a day.`,
        zh: `${then.zh}${who.zh}读了${days}天，每天${each}页。`,
      },
    );
    const part = story.compute({ en: 'pages', zh: '页数' }, each, '*', days);
    read = round === 0 ? part : story.compute({ en: 'together', zh: '一共' }, read, '+', part);
  }
  if (story.steps >= story.wanted) {
    story.ask(read, {
      en: `How many pages has ${who.en} read?`,
      zh: `${who.zh}一共读了多少页？`,
    });
    return;
  }
  const whole = read + story.number();
  story.say({ en: `The book has ${whole} pages.`, zh: `这本书有${whole}页。` });
  const rest = story.compute({ en: 'left', zh: '剩下' }, whole, '-', read);
  story.ask(rest, { en: 'How many pages are left?', zh: '还剩多少页？' });
}

/** Stretches of a way, at a speed for some hours each. */
export function ways(story: Story): void {
  const [from, to] = [story.unused(CITIES), story.unused(CITIES)];
  const parts = Math.ceil((story.wanted + 1) / 2);
  story.say(
    { en: `A train goes from ${from.en} to ${to.en}.`, zh: `一列火车从${from.zh}开往${to.zh}。` },
    { en: `A bus goes from ${from.en} to ${to.en}.`, zh: `一辆汽车从${from.zh}开往${to.zh}。` },
  );
  const next: Phrase = { en: 'Then it goes on', zh: '然后' };
  let total = 0;
  for (let part = 0; part < parts; part++) {
    const speed = story.number(Math.min(90, 2 * story.largest));
    const hours = story.random.int(2, story.level === 'easy' ? 5 : 9);
    const start: Phrase = part === 0 ? { en: 'It goes', zh: '它' } : next;
    story.say({
      en: `${start.en} for ${hours} hours at ${speed} kilometers an hour.`,
      zh: `${start.zh}以每小时${speed}千米的速度行驶${hours}小时。`,
    });
    const way = story.compute({ en: 'way', zh: '路程' }, speed, '*', hours);
    total = part === 0 ? way : story.compute({ en: 'together', zh: '一共' }, total, '+', way);
    if (story.steps >= story.wanted) break;
  }
  story.ask(
    total,
    { en: 'How many kilometers is that?', zh: '一共行驶了多少千米？' },
    {
      en: `How far is ${to.en} from ${from.en} on this way, in kilometers?`,
      zh: `这段路一共多少千米？`,
    },
  );
}

/** Ages, now and in some years. */
export function ages(story: Story): void {
  const { random } = story;
  const [first, ...others] = Array.from({ length: story.wanted }, () => story.person());
  let age = random.int(5, 30);
  const years = random.int(2, story.level === 'easy' ? 9 : 20);
  story.say({ en: `${first!.en} is ${age} years old.`, zh: `${first!.zh}今年${age}岁。` });
  let last = first!;
  for (const who of others) {
    const older = age < 8 || random.chance(0.6);
    const difference = older ? story.random.int(2, 25) : random.int(2, age - 4);
    story.say(
      older
        ? {
            en: `${who.en} is ${difference} years older than ${last.en}.`,
            zh: `${who.zh}比${last.zh}大${difference}岁。`,
          }
        : {
            en: `${who.en} is ${difference} years younger than ${last.en}.`,
            zh: `${who.zh}比${last.zh}小${difference}岁。`,
          },
    );
    age = story.compute(who, age, older ? '+' : '-', difference);
    last = who;
  }
  const then = story.compute({ en: 'then', zh: '那时' }, age, '+', years);
  story.ask(
    then,
    {
      en: `How old will ${last.en} be in ${years} years?`,
      zh: `${years}年后${last.zh}多少岁？`,
    },
    {
      en: `In ${years} years, how old is ${last.en}?`,
      zh: `再过${years}年，${last.zh}是多少岁？`,
    },
  );
}

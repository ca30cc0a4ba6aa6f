/** Stories of what people have, get, give and share. */
import type { Phrase, Thing } from '../words.ts';
import { count } from '../words.ts';
import type { Story } from './story.ts';

/** One person's things come and go. */
export function comings(story: Story): void {
  const who = story.person();
  const thing = story.thing();
  let have = story.number();
  const now: Phrase = { en: `${thing.plural} now`, zh: `现在的${thing.zh}` };
  const first = count(have, thing);
  story.say(
    { en: `${who.en} has ${first.en}.`, zh: `${who.zh}有${first.zh}。` },
    { en: `${who.en} begins with ${first.en}.`, zh: `${who.zh}一开始有${first.zh}。` },
  );
  while (story.steps < story.wanted) have = change(story, who, thing, have, now);
  story.ask(
    have,
    {
      en: `How many ${thing.plural} does ${who.en} have now?`,
      zh: `${who.zh}现在有多少${thing.measure}${thing.zh}？`,
    },
    {
      en: `How many ${thing.plural} are there in the end?`,
      zh: `最后有多少${thing.measure}${thing.zh}？`,
    },
  );
}

function change(story: Story, who: Phrase, thing: Thing, have: number, now: Phrase): number {
  const { random } = story;
  const left = story.wanted - story.steps;
  const ways = ['get', 'get'];
  if (have > 2) ways.push('fewer', 'fewer');
  if (have <= story.largest) ways.push('double');
  if (have % 2 === 0 && have > 4) ways.push('half');
  if (left >= 2) ways.push('packs');
  switch (random.pick(ways)) {
    case 'packs': {
      const [packs, each] = [story.factor(), story.factor()];
      story.say(
        {
          en: `${who.en} buys ${packs} boxes of ${each} ${thing.plural} each.`,
          zh: `${who.zh}买了${packs}盒，每盒${each}${thing.measure}。`,
        },
        {
          en: `${packs} friends give ${who.en} ${each} ${thing.plural} each.`,
          zh: `${packs}个朋友各给${who.zh}${each}${thing.measure}。`,
        },
      );
      const more = story.compute({ en: 'new ones', zh: '新的' }, packs, '*', each);
      return story.compute(now, have, '+', more);
    }
    case 'double':
      story.say(
        { en: `Then the number doubles.`, zh: `然后数量翻了一倍。` },
        {
          en: `A friend gives ${who.en} as many again.`,
          zh: `一个朋友又给了${who.zh}同样多的数量。`,
        },
      );
      return story.compute(now, have, '*', 2);
    case 'half':
      story.say(
        { en: `${who.en} gives half of them away.`, zh: `${who.zh}送出了一半。` },
        { en: `${who.en} sells half of them.`, zh: `${who.zh}卖掉了一半。` },
      );
      return story.compute(now, have, '/', 2);
    case 'fewer': {
      const fewer = random.int(1, have - 1);
      const friend = story.steps < 6 ? story.person() : who;
      story.say(
        { en: `${who.en} loses ${fewer}.`, zh: `${who.zh}丢了${fewer}${thing.measure}。` },
        {
          en: `${who.en} gives ${fewer} to ${friend.en}.`,
          zh: `${who.zh}给了${friend.zh}${fewer}${thing.measure}。`,
        },
        { en: `${who.en} sells ${fewer}.`, zh: `${who.zh}卖了${fewer}${thing.measure}。` },
      );
      return story.compute(now, have, '-', fewer);
    }
    default: {
      const more = story.number();
      story.say(
        { en: `${who.en} gets ${more} more.`, zh: `${who.zh}又得到${more}${thing.measure}。` },
        { en: `${who.en} finds ${more} more.`, zh: `${who.zh}又找到${more}${thing.measure}。` },
        {
          en: `Then ${who.en} buys ${more} more.`,
          zh: `然后${who.zh}又买了${more}${thing.measure}。`,
        },
      );
      return story.compute(now, have, '+', more);
    }
  }
}

/** People have more, fewer or times as many as each other; asked of the last, or of all. */
export function comparisons(story: Story): void {
  const { random } = story;
  const thing = story.thing();
  const people = [story.person()];
  const amounts = [story.number()];
  const first = count(amounts[0]!, thing);
  story.say({ en: `${people[0]!.en} has ${first.en}.`, zh: `${people[0]!.zh}有${first.zh}。` });
  // Adding up n amounts takes n − 1 sums more.
  const together = story.wanted >= 2 && random.chance(0.5);
  const others = together ? Math.ceil(story.wanted / 2) : story.wanted;
  while (people.length <= others && people.length < 8) {
    const [before, who] = [people.at(-1)!, story.person()];
    amounts.push(compare(story, before, who, amounts.at(-1)!, thing));
    people.push(who);
  }
  if (!together) {
    const who = people.at(-1)!;
    story.ask(amounts.at(-1)!, {
      en: `How many ${thing.plural} does ${who.en} have?`,
      zh: `${who.zh}有多少${thing.measure}${thing.zh}？`,
    });
    return;
  }
  let total = amounts[0]!;
  for (const amount of amounts.slice(1)) {
    total = story.compute({ en: 'together', zh: '一共' }, total, '+', amount);
  }
  story.ask(
    total,
    {
      en: `How many ${thing.plural} do they have together?`,
      zh: `他们一共有多少${thing.measure}${thing.zh}？`,
    },
    {
      en: `How many ${thing.plural} is that in all?`,
      zh: `总共有多少${thing.measure}${thing.zh}？`,
    },
  );
}

function compare(story: Story, before: Phrase, who: Phrase, amount: number, thing: Thing): number {
  const { random } = story;
  const label: Phrase = { en: who.en, zh: who.zh };
  const ways = ['more', 'more'];
  if (amount > 3) ways.push('fewer', 'fewer');
  if (amount <= story.largest) ways.push('times');
  if (amount % 2 === 0 && amount > 2) ways.push('half');
  switch (random.pick(ways)) {
    case 'fewer': {
      const fewer = random.int(1, amount - 2);
      story.say({
        en: `${who.en} has ${fewer} fewer than ${before.en}.`,
        zh: `${who.zh}比${before.zh}少${fewer}${thing.measure}。`,
      });
      return story.compute(label, amount, '-', fewer);
    }
    case 'times': {
      const times = random.int(2, 4);
      story.say({
        en: `${who.en} has ${times} times as many as ${before.en}.`,
        zh: `${who.zh}的数量是${before.zh}的${times}倍。`,
      });
      return story.compute(label, amount, '*', times);
    }
    case 'half':
      story.say({
        en: `${who.en} has half as many as ${before.en}.`,
        zh: `${who.zh}的数量是${before.zh}的一半。`,
      });
      return story.compute(label, amount, '/', 2);
    default: {
      const more = story.number();
      story.say({
        en: `${who.en} has ${more} more than ${before.en}.`,
        zh: `${who.zh}比${before.zh}多${more}${thing.measure}。`,
      });
      return story.compute(label, amount, '+', more);
    }
  }
}

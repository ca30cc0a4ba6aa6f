/** Stories of prices, wages and goods that are packed. */
import type { Phrase } from '../words.ts';
import { capitalize, count, PLACES, withArticle } from '../words.ts';
import type { Story } from './story.ts';

/** Goods at a price each, and perhaps what is left of a bill. */
export function shopping(story: Story): void {
  const who = story.person();
  const change = story.wanted % 2 === 0;
  // k kinds take k products and k − 1 sums.
  const kinds = Math.max(1, Math.ceil((story.wanted - (change ? 1 : 0)) / 2));
  let total = 0;
  for (let kind = 0; kind < kinds; kind++) {
    const thing = story.thing();
    const [amount, price] = [story.factor(), story.factor()];
    const goods = count(amount, thing);
    story.say(
      {
        en: `${who.en} buys ${goods.en} for ${price} dollars each.`,
        zh: `${who.zh}买了${goods.zh}，每${thing.measure}${price}元。`,
      },
      {
        en: `${capitalize(withArticle(thing.en))} costs ${price} dollars, and ${who.en} buys ${amount}.`,
        zh: `一${thing.measure}${thing.zh}${price}元，${who.zh}买了${amount}${thing.measure}。`,
      },
    );
    const cost = story.compute({ en: thing.plural, zh: thing.zh }, amount, '*', price);
    total = kind === 0 ? cost : story.compute({ en: 'together', zh: '一共' }, total, '+', cost);
  }
  if (!change) {
    story.ask(
      total,
      { en: `How many dollars does ${who.en} pay?`, zh: `${who.zh}要付多少元？` },
      { en: 'How many dollars is that in all?', zh: '一共多少元？' },
    );
    return;
  }
  const paid = total + story.number();
  story.say({ en: `${who.en} had ${paid} dollars.`, zh: `${who.zh}原来有${paid}元。` });
  const rest = story.compute({ en: 'left', zh: '剩下' }, paid, '-', total);
  story.ask(rest, {
    en: `How many dollars does ${who.en} have left?`,
    zh: `${who.zh}还剩多少元？`,
  });
}

/** So much an hour, for hours and days, with extras and expenses. */
export function wages(story: Story): void {
  const who = story.person();
  const [rate, hours] = [story.factor(), story.random.int(2, 8)];
  story.say(
    { en: `${who.en} earns ${rate} dollars an hour.`, zh: `${who.zh}每小时挣${rate}元。` },
    {
      en: `For an hour of work ${who.en} gets ${rate} dollars.`,
      zh: `${who.zh}工作一小时得${rate}元。`,
    },
  );
  let money: number;
  if (story.wanted === 1) {
    story.say({ en: `${who.en} works ${hours} hours.`, zh: `${who.zh}工作了${hours}小时。` });
    money = story.compute({ en: 'wage', zh: '工资' }, rate, '*', hours);
  } else {
    const days = story.random.int(2, 7);
    story.say({
      en: `${who.en} works ${hours} hours a day for ${days} days.`,
      zh: `${who.zh}每天工作${hours}小时，工作了${days}天。`,
    });
    const day = story.compute({ en: 'a day', zh: '每天' }, rate, '*', hours);
    money = story.compute({ en: 'all days', zh: '所有天' }, day, '*', days);
  }
  while (story.steps < story.wanted) money = extra(story, who, money);
  story.ask(
    money,
    { en: `How many dollars does ${who.en} have then?`, zh: `${who.zh}这时有多少元？` },
    { en: `How much money is that in the end, in dollars?`, zh: `最后是多少元？` },
  );
}

function extra(story: Story, who: Phrase, money: number): number {
  const now: Phrase = { en: 'money', zh: '钱' };
  if (story.random.chance(0.5) || money < 4) {
    const more = story.number();
    story.say(
      { en: `${who.en} gets a tip of ${more} dollars.`, zh: `${who.zh}又得到${more}元小费。` },
      { en: `${who.en} is given ${more} dollars more.`, zh: `${who.zh}又收到${more}元。` },
    );
    return story.compute(now, money, '+', more);
  }
  const spent = story.random.int(1, Math.min(money - 1, story.largest));
  const thing = story.thing();
  story.say(
    {
      en: `${who.en} pays ${spent} dollars for ${withArticle(thing.en)}.`,
      zh: `${who.zh}花${spent}元买了一${thing.measure}${thing.zh}。`,
    },
    { en: `${who.en} spends ${spent} dollars on food.`, zh: `${who.zh}花${spent}元吃饭。` },
  );
  return story.compute(now, money, '-', spent);
}

/** Rows of boxes of things; some are sold or added, and the rest is packed. */
export function stores(story: Story): void {
  const { random } = story;
  const thing = story.thing();
  const place = random.pick(PLACES);
  const [rows, each] = [story.factor(), story.factor()];
  story.say(
    {
      en: `The ${place.en} has ${rows} shelves with ${each} ${thing.plural} each.`,
      zh: `${place.zh}有${rows}个架子，每个架子有${each}${thing.measure}${thing.zh}。`,
    },
    {
      en: `In the ${place.en} there are ${rows} boxes. Each box holds ${each} ${thing.plural}.`,
      zh: `${place.zh}里有${rows}个箱子。每个箱子装${each}${thing.measure}${thing.zh}。`,
    },
  );
  const label: Phrase = { en: thing.plural, zh: thing.zh };
  let amount = story.compute(label, rows, '*', each);
  const packs = story.wanted >= 3;
  while (story.steps < story.wanted - (packs ? 1 : 0)) {
    const bring = amount < 4 || random.chance(0.5);
    const number = bring ? story.number() : random.int(1, amount - 2);
    story.say(
      bring
        ? { en: `${number} more are brought.`, zh: `又运来${number}${thing.measure}。` }
        : { en: `${number} of them are sold.`, zh: `卖出了${number}${thing.measure}。` },
    );
    amount = story.compute(label, amount, bring ? '+' : '-', number);
  }
  const divisor = [9, 8, 7, 6, 5, 4, 3, 2].find((size) => amount % size === 0 && amount > size);
  if (packs && divisor !== undefined) {
    story.say({
      en: `They are packed in bags of ${divisor}.`,
      zh: `每${divisor}${thing.measure}装一袋。`,
    });
    const bags = story.compute({ en: 'bags', zh: '袋' }, amount, '/', divisor);
    story.ask(bags, { en: 'How many bags are there?', zh: '一共有多少袋？' });
    return;
  }
  story.ask(amount, {
    en: `How many ${thing.plural} are in the ${place.en} now?`,
    zh: `${place.zh}里现在有多少${thing.measure}${thing.zh}？`,
  });
}

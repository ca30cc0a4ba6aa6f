/** Questions about the small world of `facts.ts`, from a fact alone to a few facts put together. */
import type { Random } from '../../random.ts';
import { workedSum } from '../sums.ts';
import { type Phrase, withArticle } from '../words.ts';
import { BY_SIZE, DAYS, KINDS, MONTHS, RELATIONS, type Relation, UNITS } from './facts.ts';

export interface Question {
  /** Without the capital and the sign at its ends. */
  ask: Phrase;
  steps: Phrase[];
  answer: Phrase;
  /** Whether it takes no more than a fact known by heart. */
  isFact: boolean;
}

export function fact(random: Random): Question {
  const { pairs, ask } = random.pick(RELATIONS);
  const [subject, answer] = random.pick(pairs);
  return { ask: random.pick(ask)(subject), steps: [], answer, isFact: true };
}

export function reverseFact(random: Random): Question {
  const { pairs, reverse } = random.pick(REVERSIBLE);
  const [answer, value] = random.pick(pairs);
  return { ask: random.pick(reverse!)(value), steps: [], answer, isFact: true };
}

const REVERSIBLE: readonly Relation[] = RELATIONS.filter(({ reverse }) => reverse !== undefined);

/** Some steps on in the week or the year, counted one by one; so far no more than a week. */
export function stepsOn(random: Random, most: number): Question {
  const days = random.chance(0.5);
  const row = days ? DAYS : MONTHS;
  const unit: Phrase = days ? { en: 'day', zh: '天' } : { en: 'month', zh: '个月' };
  const start = random.int(0, row.length - 1);
  const distance = random.int(1, most);
  const at = (i: number) => row[(start + i) % row.length]!;
  const from = at(0);
  const rest = distance % row.length;
  const steps = Array.from({ length: rest }, (_, i) => ({
    en: `${i + 1}: ${at(i + 1).en}`,
    zh: `${i + 1}：${at(i + 1).zh}`,
  }));
  if (distance >= row.length) {
    const line = `${distance}=${Math.floor(distance / row.length)}*${row.length}+${rest}`;
    steps.unshift({ en: line, zh: line });
  }
  const s = distance === 1 ? '' : 's';
  return {
    ask: {
      en: `what ${unit.en} is ${distance} ${unit.en}${s} after ${from.en}`,
      zh: `${from.zh}之后${distance}${unit.zh}是什么`,
    },
    steps,
    answer: at(distance),
    isFact: false,
  };
}

/** Which of some animals is the largest or the smallest. */
export function bySize(random: Random, count: number): Question {
  const drawn = random.shuffle(BY_SIZE.map((_, i) => i)).slice(0, count);
  const largest = random.chance(0.5);
  const wanted = largest ? Math.max(...drawn) : Math.min(...drawn);
  const names = drawn.map((i) => BY_SIZE[i]!);
  const quality: Phrase = largest ? { en: 'largest', zh: '最大' } : { en: 'smallest', zh: '最小' };
  return {
    ask: {
      en: `which animal is the ${quality.en}: ${names.map(({ en }) => en).join(', ')}`,
      zh: `哪种动物${quality.zh}：${names.map(({ zh }) => zh).join('、')}`,
    },
    steps: [],
    answer: BY_SIZE[wanted]!,
    isFact: false,
  };
}

/** One of another kind among members of a kind. */
export function oddOneOut(random: Random, count: number): Question {
  const [kind, other] = random.shuffle(KINDS);
  const odd = random.pick(other!.members);
  const same = random.shuffle(kind!.members).slice(0, count - 1);
  const names = random.shuffle([odd, ...same]);
  return {
    ask: {
      en: `which is not like the others: ${names.map(({ en }) => en).join(', ')}`,
      zh: `哪一个与其他的不同：${names.map(({ zh }) => zh).join('、')}`,
    },
    steps: names.map((name) => {
      const its = name === odd ? other!.kind : kind!.kind;
      return { en: `${name.en}: ${its.en}`, zh: `${name.zh}：${its.zh}` };
    }),
    answer: odd,
    isFact: false,
  };
}

/** Whether something is of a kind. */
export function isOfKind(random: Random): Question {
  const [own, other] = random.shuffle(KINDS);
  const name = random.pick(own!.members);
  const yes = random.chance(0.5);
  const { kind } = yes ? own! : other!;
  return {
    ask: { en: `is ${name.en} ${withArticle(kind.en)}`, zh: `${name.zh}是${kind.zh}吗` },
    steps: [{ en: `${name.en}: ${own!.kind.en}`, zh: `${name.zh}：${own!.kind.zh}` }],
    answer: yes ? { en: 'yes', zh: '是' } : { en: 'no', zh: '不是' },
    isFact: false,
  };
}

/** So many of a unit in the smaller one. */
export function inUnits(random: Random, most: number): Question {
  const { whole, part, size } = random.pick(UNITS);
  const amount = random.int(2, most);
  const answer = String(amount * size);
  const sum = workedSum(size, '*', amount);
  return {
    ask: {
      en: `how many ${part.en} are ${amount} ${whole.en}`,
      zh: `${amount}${whole.zh}是多少${part.zh}`,
    },
    steps: [{ en: sum, zh: sum }],
    answer: { en: answer, zh: answer },
    isFact: false,
  };
}

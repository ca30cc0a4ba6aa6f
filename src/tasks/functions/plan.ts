/** Problems of calls: which functions are offered, and which calls in which rounds are right. */
import type { Random } from '../../random.ts';
import type { Tool } from '../../text/chat-messages.ts';
import type { Call } from '../response.ts';
import type { Language, Level } from '../task.ts';
import type { Phrase } from '../words.ts';
import { ACTIONS, type Operation, PEOPLE, QUERIES } from './operations.ts';
import type { Said } from './parameters.ts';

export interface PlannedCall extends Call {
  /** What the function gives, as JSON. */
  output: string;
}

export interface Plan {
  ask: Phrase;
  tools: Tool[];
  /** Calls that can be made at once, round by round. */
  rounds: PlannedCall[][];
  /** What the last turn has to name; none where things were only done. */
  answers: string[];
}

/**
 * Easy: one call, of one or two functions. Medium: two calls at once, of up to four functions, or none
 * that fits. Hard: two or three calls, each with what the one before gave.
 */
export function makePlan(random: Random, level: Level, language: Language): Plan {
  if (level === 'hard') return chain(random, language);
  if (level === 'medium' && random.chance(0.15)) return nothing(random, language);
  const wishes = level === 'easy' ? 1 : 2;
  const others = level === 'easy' ? random.int(0, 1) : random.int(1, 2);
  const drawn = random.shuffle([...QUERIES, ...ACTIONS]).slice(0, wishes + others);
  const offered = drawn.map((operation) => new Offer(random, operation, language));
  const planned = offered.slice(0, wishes).map((offer) => offer.wish(random));
  return {
    ask: joinWishes(planned.map(({ ask }) => ask)),
    tools: random.shuffle(offered.map(({ tool }) => tool)),
    rounds: [planned.map(({ call }) => call)],
    answers: planned.flatMap(({ answer }) => answer ?? []),
  };
}

/** A function as a problem offers it. */
class Offer {
  readonly tool: Tool;
  readonly #operation: Operation;
  readonly #name: string;
  readonly #parameters: string[];

  constructor(random: Random, operation: Operation, language: Language) {
    this.#operation = operation;
    this.#name = random.pick(operation.names);
    this.#parameters = operation.parameters.map(({ names }) => random.pick(names));
    const properties = operation.parameters.map(({ schema, about }, i) => [
      this.#parameters[i]!,
      { ...schema, description: about[language] },
    ]);
    this.tool = tool(this.#name, operation.about[language], Object.fromEntries(properties));
  }

  /** A user's wish, and the call that it takes. */
  wish(random: Random): { ask: Phrase; call: PlannedCall; answer?: string } {
    const said: Said[] = [];
    for (const parameter of this.#operation.parameters) {
      let next = parameter.draw(random);
      // Nobody asks for the way from a city to itself.
      while (said.some(({ value }) => value === next.value)) next = parameter.draw(random);
      said.push(next);
    }
    const result = this.#operation.result?.(random);
    const given = said.map(({ value }, i) => [this.#parameters[i]!, value]);
    const output = result === undefined ? { ok: true } : { result };
    return {
      ask: this.#operation.ask(...said.map(({ words }) => words)),
      call: {
        name: this.#name,
        arguments: Object.fromEntries(given),
        output: JSON.stringify(output),
      },
      ...(result !== undefined && { answer: String(result) }),
    };
  }
}

/** A wish for which none of the functions is made. */
function nothing(random: Random, language: Language): Plan {
  const [wanted, ...others] = random.shuffle([...QUERIES, ...ACTIONS]).slice(0, 3);
  const offered = others.map((operation) => new Offer(random, operation, language));
  return {
    ask: new Offer(random, wanted!, language).wish(random).ask,
    tools: offered.map(({ tool }) => tool),
    rounds: [],
    answers: [],
  };
}

/** Lookups of which each needs the result of the one before. */
function chain(random: Random, language: Language): Plan {
  const links = random.pick(CHAINS);
  const length = random.int(2, links.length);
  const person = `${random.pick(PEOPLE).en} ${random.pick(SURNAMES)}`;
  const tools: Tool[] = [];
  const rounds: PlannedCall[][] = [];
  let value = person;
  for (const { names, about, parameter, result } of links.slice(0, length)) {
    const name = random.pick(names);
    const properties = { [parameter]: { type: 'string', description: about.given[language] } };
    tools.push(tool(name, about.whole[language], properties));
    const next = result(random);
    const output = JSON.stringify({ result: next });
    rounds.push([{ name, arguments: { [parameter]: value }, output }]);
    value = next;
  }
  const { noun } = links[length - 1]!;
  const ask = { en: `What is the ${noun.en} of ${person}?`, zh: `${person}的${noun.zh}是什么？` };
  const extra = new Offer(random, random.pick([...QUERIES, ...ACTIONS]), language);
  const plan = { ask, tools: random.shuffle([...tools, extra.tool]), rounds, answers: [value] };
  if (random.chance(0.4)) return plan;
  // Something else is wished for too, which can be done along with the first lookup.
  const wish = extra.wish(random);
  rounds[0]!.push(wish.call);
  return {
    ...plan,
    ask: joinWishes([ask, wish.ask]),
    answers: [value, ...(wish.answer === undefined ? [] : [wish.answer])],
  };
}

const SURNAMES =
  `Stone Hill Brook Field Wood Lake Marsh Snow Frost Rivers Woods Banks Moss Reed Rose
Fox Wolf Swan Lamb Finch`.split(/\s+/);

interface Link {
  names: readonly string[];
  about: { whole: Phrase; given: Phrase };
  parameter: string;
  noun: Phrase;
  result(random: Random): string;
}

function link(
  names: string,
  parameter: string,
  noun: Phrase,
  of: Phrase,
  result: (random: Random) => string,
): Link {
  const whole = { en: `The ${noun.en} for the ${of.en}.`, zh: `${of.zh}对应的${noun.zh}。` };
  const given = { en: `The ${of.en}.`, zh: `${of.zh}。` };
  return { names: names.split(' '), about: { whole, given }, parameter, noun, result };
}

const code = (prefix: string) => (random: Random) => `${prefix}${random.int(100, 999)}`;
const PERSON: Phrase = { en: 'name', zh: '姓名' };
const USER: Phrase = { en: 'user id', zh: '用户编号' };
const ORDER: Phrase = { en: 'order', zh: '订单' };
const STATUS: Phrase = { en: 'order status', zh: '订单状态' };
const TEAM: Phrase = { en: 'team', zh: '团队' };
const LEADER: Phrase = { en: 'team leader', zh: '团队负责人' };
const PHONE: Phrase = { en: 'phone number of the team leader', zh: '团队负责人的电话' };

const CHAINS: readonly (readonly Link[])[] = [
  [
    link('find_user get_user user_id', 'name', USER, PERSON, code('U')),
    link('find_order get_order last_order', 'user_id', ORDER, USER, code('A')),
    link('order_status get_status check_order', 'order', STATUS, ORDER, (random) =>
      random.pick(['paid', 'sent', 'open', 'lost', 'done']),
    ),
  ],
  [
    link('find_team get_team team_of', 'name', TEAM, PERSON, code('T')),
    link(
      'team_leader get_leader leader_of',
      'team',
      LEADER,
      TEAM,
      (random) => random.pick(PEOPLE).en,
    ),
    link('phone_of get_phone find_phone', 'name', PHONE, PERSON, code('555')),
  ],
];

function joinWishes(wishes: readonly Phrase[]): Phrase {
  return {
    en: wishes.map(({ en }) => en).join(' '),
    zh: wishes.map(({ zh }) => zh).join(''),
  };
}

function tool(name: string, description: string, properties: Record<string, object>): Tool {
  const parameters = { type: 'object', properties, required: Object.keys(properties) };
  return { type: 'function', function: { name, description, parameters } };
}

/**
 * What the functions of problems do. Functions and parameters have several names, of which a problem
 * draws one, so that calls have to be written from the schema at hand and not from memory.
 */
import type { Random } from '../../random.ts';
import { CITIES, COLORS, NAMES, type Phrase, phrases, THINGS, withArticle } from '../words.ts';
import { choice, list, number, type Parameter, split, words } from './parameters.ts';

export interface Operation {
  names: readonly string[];
  about: Phrase;
  parameters: readonly Parameter[];
  /** A user's wish, with the values in the order of the parameters. */
  ask(...said: Phrase[]): Phrase;
  /** What it gives back, for those that are asked for something. */
  result?(random: Random): string | number;
}

export const PEOPLE: readonly Phrase[] = NAMES.en.map((en) => ({ en, zh: en }));
const DAYS =
  phrases(`Monday 星期一; Tuesday 星期二; Wednesday 星期三; Thursday 星期四; Friday 星期五;
Saturday 星期六; Sunday 星期天`);
const ROOMS = phrases(
  'kitchen 厨房; bedroom 卧室; bathroom 浴室; hall 大厅; office 办公室; garage 车库',
);
const NOTES = [
  'hello',
  'good night',
  'see you soon',
  'call me',
  'thank you',
  'I am late',
  'well done',
];

const city = words('city place location', 'The city. 城市。', CITIES);
const day = choice(
  'day date when',
  'The day. 日子。',
  'string',
  DAYS.map((words) => ({ value: words.en, words })),
);
const room = choice(
  'room where area',
  'The room. 房间。',
  'string',
  ROOMS.map((words) => ({ value: words.en, words })),
);
const person = words('person name to', 'The person. 人名。', PEOPLE);
const hour = number('hour time at', 'The hour, 0 to 23. 几点，0到23。', 0, 23);
const item = words('item product article', 'The item. 物品。', THINGS);
const note = words(
  'text message content',
  'What to say. 内容。',
  NOTES.map((en) => ({ en, zh: en })),
);
const on = choice('on enabled state', 'Whether it is on. 是否打开。', 'boolean', [
  { value: true, words: { en: 'on', zh: '打开' } },
  { value: false, words: { en: 'off', zh: '关掉' } },
]);

/** Those that are asked for something. */
export const QUERIES: readonly Operation[] = [
  {
    names: ['get_temperature', 'temperature', 'check_temperature'],
    about: split('The temperature in a city. 城市的温度。'),
    parameters: [city],
    ask: (where) => ({ en: `How warm is it in ${where.en}?`, zh: `${where.zh}现在多少度？` }),
    result: (random) => random.int(1, 40),
  },
  {
    names: ['get_weather', 'weather', 'forecast'],
    about: split('The weather in a city on a day. 城市某天的天气。'),
    parameters: [city, day],
    ask: (where, when) => ({
      en: `What is the weather in ${where.en} on ${when.en}?`,
      zh: `${when.zh}${where.zh}的天气怎么样？`,
    }),
    result: (random) => random.pick(['sunny', 'rainy', 'cloudy', 'windy', 'snowy']),
  },
  {
    names: ['get_price', 'price', 'find_price'],
    about: split('The price of an item. 物品的价格。'),
    parameters: [item],
    ask: (what) => ({ en: `What does ${withArticle(what.en)} cost?`, zh: `${what.zh}多少钱？` }),
    result: (random) => random.int(2, 99),
  },
  {
    names: ['get_stock', 'count_stock', 'stock'],
    about: split('How many of an item there are. 物品的数量。'),
    parameters: [item],
    ask: (what) => ({
      en: `How many of item ${what.en} are in stock?`,
      zh: `${what.zh}还有多少库存？`,
    }),
    result: (random) => random.int(2, 500),
  },
  {
    names: ['get_distance', 'distance', 'measure_distance'],
    about: split('The distance of two cities in kilometers. 两个城市的距离，千米。'),
    parameters: [
      words('from start origin', 'The first city. 第一个城市。', CITIES),
      words('to end target', 'The second city. 第二个城市。', CITIES),
    ],
    ask: (from, to) => ({
      en: `How far is it from ${from.en} to ${to.en}?`,
      zh: `从${from.zh}到${to.zh}有多远？`,
    }),
    result: (random) => random.int(100, 9000),
  },
];

/** Those that do something. */
export const ACTIONS: readonly Operation[] = [
  {
    names: ['set_alarm', 'add_alarm', 'wake_up'],
    about: split('Sets an alarm. 设置闹钟。'),
    parameters: [hour, number('minute minutes', 'The minute. 几分。', 0, 59)],
    ask: (h, m) => ({
      en: `Set an alarm for hour ${h.en}, minute ${m.en}.`,
      zh: `设一个${h.zh}点${m.zh}分的闹钟。`,
    }),
  },
  {
    names: ['send_message', 'message', 'write_to'],
    about: split('Sends a message. 发送消息。'),
    parameters: [person, note],
    ask: (who, what) => ({
      en: `Send ${who.en} the message "${what.en}".`,
      zh: `给${who.zh}发消息“${what.zh}”。`,
    }),
  },
  {
    names: ['set_light', 'switch_light', 'light'],
    about: split('Switches a light. 开关灯。'),
    parameters: [room, on],
    ask: (where, state) => ({
      en: `Turn the light in the ${where.en} ${state.en}.`,
      zh: `把${where.zh}的灯${state.zh}。`,
    }),
  },
  {
    names: ['set_heating', 'heat', 'adjust_heating'],
    about: split('Heats a room. 加热房间。'),
    parameters: [room, number('degrees temperature', 'In degrees. 度数。', 15, 30)],
    ask: (where, degrees) => ({
      en: `Heat the ${where.en} to ${degrees.en} degrees.`,
      zh: `把${where.zh}加热到${degrees.zh}度。`,
    }),
  },
  {
    names: ['book_table', 'reserve_table', 'reserve'],
    about: split('Books a table in a restaurant. 预订餐桌。'),
    parameters: [number('people guests', 'How many people. 人数。', 2, 12), day, hour],
    ask: (people, when, h) => ({
      en: `Book a table for ${people.en} on ${when.en} at hour ${h.en}.`,
      zh: `订一张${when.zh}${h.zh}点的餐桌，${people.zh}个人。`,
    }),
  },
  {
    names: ['add_items', 'add_to_list', 'shopping_list'],
    about: split('Adds items to the shopping list. 添加到购物清单。'),
    parameters: [list('items things', 'The items. 物品。', THINGS)],
    ask: (items) => ({
      en: `Put ${items.en} on the shopping list.`,
      zh: `把${items.zh}加到购物清单。`,
    }),
  },
  {
    names: ['paint', 'set_color', 'color_room'],
    about: split('Paints a room. 粉刷房间。'),
    parameters: [
      room,
      choice(
        'color paint',
        'The color. 颜色。',
        'string',
        COLORS.map((words) => ({ value: words.en, words })),
      ),
    ],
    ask: (where, color) => ({
      en: `Paint the ${where.en} ${color.en}.`,
      zh: `把${where.zh}刷成${color.zh}。`,
    }),
  },
];

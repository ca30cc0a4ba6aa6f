/** Words that several families draw from, in both languages. */
import type { Language } from './task.ts';

/** The same in both languages. */
export type Phrase = Record<Language, string>;

export const NAMES: Record<Language, readonly string[]> = {
  en: [
    ...['Anna', 'Ben', 'Carl', 'Dora', 'Emma', 'Finn', 'Gina', 'Hugo', 'Ivan', 'Jane'],
    ...['Kate', 'Leo', 'Mia', 'Noah', 'Olga', 'Paul', 'Rosa', 'Sam', 'Tina', 'Zoe'],
  ],
  zh: [
    ...['小明', '小红', '小刚', '小丽', '小华', '小军', '小芳', '小强'],
    ...['小美', '小龙', '小燕', '小东', '小雪', '小梅', '小杰', '小云'],
  ],
};

/** Something that can be counted. */
export interface Thing extends Phrase {
  plural: string;
  /** The Chinese measure word. */
  measure: string;
}

const THING_LIST = `apple apples 苹果 个; pear pears 梨 个; book books 书 本; pen pens 笔 支;
cup cups 杯子 个; coin coins 硬币 枚; stamp stamps 邮票 张; card cards 卡片 张; egg eggs 鸡蛋 个;
cookie cookies 饼干 块; shell shells 贝壳 个; ball balls 球 个; flower flowers 花 朵; toy toys 玩具 个;
ticket tickets 票 张; key keys 钥匙 把; lamp lamps 灯 盏; hat hats 帽子 顶; photo photos 照片 张;
cake cakes 蛋糕 个; orange oranges 橙子 个; pencil pencils 铅笔 支; chair chairs 椅子 把;
bottle bottles 瓶子 个; marble marbles 弹珠 颗; button buttons 纽扣 颗; brick bricks 砖 块;
candle candles 蜡烛 支; letter letters 信 封; melon melons 西瓜 个`;

export const THINGS: readonly Thing[] = entries(THING_LIST).map(([en, plural, zh, measure]) => ({
  en: en!,
  plural: plural!,
  zh: zh!,
  measure: measure!,
}));

export const PLACES: readonly Phrase[] = phrases(`barn 谷仓; garden 花园; kitchen 厨房; attic 阁楼;
school 学校; market 市场; library 图书馆; office 办公室; museum 博物馆; harbor 港口; station 车站;
bakery 面包店; farm 农场; hotel 酒店; theater 剧院; tower 塔楼; cellar 地窖; castle 城堡; temple 寺庙;
factory 工厂`);

export const ANIMALS: readonly Phrase[] = phrases(`fox 狐狸; bear 熊; wolf 狼; deer 鹿; hare 野兔;
owl 猫头鹰; swan 天鹅; crow 乌鸦; lion 狮子; tiger 老虎; horse 马; goat 山羊; sheep 绵羊; duck 鸭子;
frog 青蛙; mouse 老鼠; whale 鲸鱼; seal 海豹; camel 骆驼; eagle 老鹰; snake 蛇; turtle 乌龟;
monkey 猴子; panda 熊猫; rabbit 兔子; donkey 驴; pigeon 鸽子; spider 蜘蛛; beaver 河狸; otter 水獭`);

export const COLORS: readonly Phrase[] = phrases(`red 红色; blue 蓝色; green 绿色; black 黑色;
white 白色; pink 粉色; golden 金色; gray 灰色; brown 棕色; purple 紫色; yellow 黄色; orange 橙色`);

export const CITIES: readonly Phrase[] = phrases(`Paris 巴黎; London 伦敦; Rome 罗马; Berlin 柏林;
Madrid 马德里; Vienna 维也纳; Tokyo 东京; Beijing 北京; Shanghai 上海; Moscow 莫斯科; Cairo 开罗;
Delhi 德里; Oslo 奥斯陆; Athens 雅典; Lisbon 里斯本; Dublin 都柏林; Prague 布拉格; Warsaw 华沙;
Seoul 首尔; Bangkok 曼谷; Hanoi 河内; Lima 利马; Sydney 悉尼; Toronto 多伦多`);

/** English words that tell a plural from one. */
export function count(number: number, thing: Thing): Phrase {
  return {
    en: `${number} ${number === 1 ? thing.en : thing.plural}`,
    zh: `${number}${thing.measure}${thing.zh}`,
  };
}

/** The word with its article. */
export function withArticle(word: string): string {
  return `${/^[aeiou]/i.test(word) ? 'an' : 'a'} ${word}`;
}

export function capitalize(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}

/** Pairs of English and Chinese, parted by semicolons. */
export function phrases(list: string): Phrase[] {
  return entries(list).map(([en, zh]) => ({ en: en!, zh: zh! }));
}

function entries(list: string): string[][] {
  return list.split(';').map((entry) => entry.trim().split(/\s+/));
}

/** The small world that the model is to know by heart. */
import { ANIMALS, COLORS, type Phrase, PLACES, phrases, THINGS, withArticle } from '../words.ts';

/** Pairs of a subject and what is true of it. */
export interface Relation {
  pairs: readonly (readonly [Phrase, Phrase])[];
  ask: readonly ((subject: Phrase) => Phrase)[];
  /** The question the other way round, where only one subject fits. */
  reverse?: readonly ((value: Phrase) => Phrase)[];
}

/** Subject and value in both languages, four words to an entry. */
function pairs(list: string): (readonly [Phrase, Phrase])[] {
  return list.split(';').map((entry) => {
    const [en, zh, valueEn, valueZh] = entry.trim().split(/\s+/);
    return [
      { en: en!, zh: zh! },
      { en: valueEn!, zh: valueZh! },
    ] as const;
  });
}

export const CAPITALS =
  pairs(`France 法国 Paris 巴黎; Germany 德国 Berlin 柏林; Italy 意大利 Rome 罗马;
Spain 西班牙 Madrid 马德里; England 英国 London 伦敦; Austria 奥地利 Vienna 维也纳; Japan 日本 Tokyo 东京;
China 中国 Beijing 北京; Russia 俄罗斯 Moscow 莫斯科; Egypt 埃及 Cairo 开罗; Norway 挪威 Oslo 奥斯陆;
Greece 希腊 Athens 雅典; Portugal 葡萄牙 Lisbon 里斯本; Ireland 爱尔兰 Dublin 都柏林;
Poland 波兰 Warsaw 华沙; Korea 韩国 Seoul 首尔; Thailand 泰国 Bangkok 曼谷; Vietnam 越南 Hanoi 河内;
Peru 秘鲁 Lima 利马; Canada 加拿大 Ottawa 渥太华; Sweden 瑞典 Stockholm 斯德哥尔摩;
Cuba 古巴 Havana 哈瓦那; Kenya 肯尼亚 Nairobi 内罗毕; Turkey 土耳其 Ankara 安卡拉;
Hungary 匈牙利 Budapest 布达佩斯; Finland 芬兰 Helsinki 赫尔辛基`);

const OPPOSITES =
  pairs(`big 大 small 小; long 长 short 短; high 高 low 低; hot 热 cold 冷; new 新 old 旧;
fast 快 slow 慢; light 轻 heavy 重; open 开 closed 关; full 满 empty 空; good 好 bad 坏; wet 湿 dry 干;
early 早 late 晚; near 近 far 远; strong 强 weak 弱; rich 富 poor 穷; hard 硬 soft 软; deep 深 shallow 浅;
wide 宽 narrow 窄; thick 厚 thin 薄; black 黑 white 白; left 左 right 右; day 白天 night 黑夜;
up 上 down 下; true 真 false 假; more 多 less 少; first 第一 last 最后`);

export const HUES =
  pairs(`grass 草 green 绿色; snow 雪 white 白色; blood 血 red 红色; coal 煤 black 黑色;
milk 牛奶 white 白色; sky 天空 blue 蓝色; sea 大海 blue 蓝色; leaves 树叶 green 绿色; gold 金子 yellow 黄色;
bananas 香蕉 yellow 黄色; tomatoes 西红柿 red 红色; ravens 乌鸦 black 黑色; carrots 胡萝卜 orange 橙色;
chocolate 巧克力 brown 棕色; salt 盐 white 白色; elephants 大象 gray 灰色`);

const LEGS =
  pairs(`spider 蜘蛛 8 8; ant 蚂蚁 6 6; bee 蜜蜂 6 6; bird 鸟 2 2; duck 鸭子 2 2; dog 狗 4 4;
cat 猫 4 4; horse 马 4 4; snake 蛇 0 0; fish 鱼 0 0; cow 牛 4 4; butterfly 蝴蝶 6 6; frog 青蛙 4 4;
person 人 2 2; owl 猫头鹰 2 2; beetle 甲虫 6 6`);

export const YOUNG =
  pairs(`dog 狗 puppy 小狗; cat 猫 kitten 小猫; cow 牛 calf 小牛; sheep 羊 lamb 小羊;
horse 马 foal 小马; hen 母鸡 chick 小鸡; duck 鸭子 duckling 小鸭; bear 熊 cub 小熊; frog 青蛙 tadpole 蝌蚪`);

export const RELATIONS: readonly Relation[] = [
  {
    pairs: CAPITALS,
    ask: [
      ({ en, zh }) => ({ en: `what is the capital of ${en}`, zh: `${zh}的首都是哪里` }),
      ({ en, zh }) => ({ en: `which city is the capital of ${en}`, zh: `${zh}的首都是什么` }),
    ],
    reverse: [
      ({ en, zh }) => ({
        en: `${en} is the capital of which country`,
        zh: `${zh}是哪个国家的首都`,
      }),
    ],
  },
  {
    pairs: [...OPPOSITES, ...OPPOSITES.map(([a, b]) => [b, a] as const)],
    ask: [
      ({ en, zh }) => ({ en: `what is the opposite of ${en}`, zh: `${zh}的反义词是什么` }),
      ({ en, zh }) => ({ en: `which word is the opposite of ${en}`, zh: `与${zh}相反的词是什么` }),
    ],
  },
  {
    pairs: HUES,
    ask: [
      ({ en, zh }) => ({ en: `what is the color of ${en}`, zh: `${zh}是什么颜色` }),
      ({ en, zh }) => ({ en: `what color has ${en}`, zh: `${zh}的颜色是什么` }),
    ],
  },
  {
    pairs: LEGS,
    ask: [({ en, zh }) => ({ en: `how many legs has ${withArticle(en)}`, zh: `${zh}有几条腿` })],
  },
  {
    pairs: YOUNG,
    ask: [({ en, zh }) => ({ en: `what is a young ${en} called`, zh: `${zh}的宝宝叫什么` })],
    reverse: [
      ({ en, zh }) => ({ en: `what does ${withArticle(en)} grow into`, zh: `${zh}长大后是什么` }),
    ],
  },
  {
    // The same word in the other language, whichever the question is asked in.
    pairs: [...THINGS, ...ANIMALS, ...COLORS, ...PLACES].map(({ en, zh }) => [
      { en, zh },
      { en: zh, zh: en },
    ]),
    ask: [
      ({ en, zh }) => ({ en: `what is ${en} in Chinese`, zh: `${zh}用英语怎么说` }),
      ({ en, zh }) => ({ en: `how do you say ${en} in Chinese`, zh: `${zh}的英文是什么` }),
    ],
  },
];

export const DAYS: readonly Phrase[] = phrases(`Monday 星期一; Tuesday 星期二; Wednesday 星期三;
Thursday 星期四; Friday 星期五; Saturday 星期六; Sunday 星期天`);

export const MONTHS: readonly Phrase[] =
  phrases(`January 一月; February 二月; March 三月; April 四月;
May 五月; June 六月; July 七月; August 八月; September 九月; October 十月; November 十一月; December 十二月`);

/** From the smallest to the largest. */
export const BY_SIZE: readonly Phrase[] = phrases(`ant 蚂蚁; bee 蜜蜂; frog 青蛙; mouse 老鼠;
rabbit 兔子; cat 猫; fox 狐狸; wolf 狼; sheep 绵羊; lion 狮子; bear 熊; horse 马; camel 骆驼; elephant 大象;
whale 鲸鱼`);

/** What things are, for the odd one out. */
export const KINDS: readonly { kind: Phrase; members: readonly Phrase[] }[] = [
  { kind: { en: 'animal', zh: '动物' }, members: ANIMALS },
  { kind: { en: 'color', zh: '颜色' }, members: COLORS.filter(({ en }) => en !== 'orange') },
  { kind: { en: 'day', zh: '日子' }, members: DAYS },
  { kind: { en: 'month', zh: '月份' }, members: MONTHS },
  { kind: { en: 'country', zh: '国家' }, members: CAPITALS.map(([country]) => country) },
  { kind: { en: 'city', zh: '城市' }, members: CAPITALS.map(([, city]) => city) },
  {
    kind: { en: 'building', zh: '建筑' },
    members: PLACES.filter(({ en }) => !/farm|garden|harbor/.test(en)),
  },
];

export const UNITS: readonly { whole: Phrase; part: Phrase; size: number }[] = [
  { whole: { en: 'hours', zh: '小时' }, part: { en: 'minutes', zh: '分钟' }, size: 60 },
  { whole: { en: 'minutes', zh: '分钟' }, part: { en: 'seconds', zh: '秒' }, size: 60 },
  { whole: { en: 'days', zh: '天' }, part: { en: 'hours', zh: '小时' }, size: 24 },
  { whole: { en: 'weeks', zh: '个星期' }, part: { en: 'days', zh: '天' }, size: 7 },
  { whole: { en: 'years', zh: '年' }, part: { en: 'months', zh: '个月' }, size: 12 },
  { whole: { en: 'meters', zh: '米' }, part: { en: 'centimeters', zh: '厘米' }, size: 100 },
  { whole: { en: 'dozens', zh: '打' }, part: { en: 'pieces', zh: '个' }, size: 12 },
];

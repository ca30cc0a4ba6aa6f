/** Functions that do several things to a list, one after another, in any order. */
import { isDeepStrictEqual } from 'node:util';
import type { Random } from '../../random.ts';
import type { Level } from '../task.ts';
import type { Kind, Part } from './parts.ts';
import type { Program } from './programs.ts';
import type { Json } from './quickjs.ts';
import {
  changeStep,
  ITEMS,
  keepStep,
  randomChange,
  randomJoin,
  randomKeep,
  randomList,
  runSteps,
  type Step,
} from './steps.ts';

/** Things done to the list, before what is made of it. */
const STEPS: Readonly<Record<Level, number>> = { easy: 2, medium: 3, hard: 4 };

/** So long that something is left after all steps. */
const [SHORTEST, LONGEST] = [3, 8];

export function randomPipeline(random: Random, level: Level): Program {
  for (;;) {
    const kind = random.pick<Kind>(['number', 'text']);
    const steps = randomSteps(random, kind, STEPS[level]);
    const join = randomJoin(random, kind);
    const lists = Array.from({ length: 20 }, () => randomList(random, kind, SHORTEST, LONGEST));
    if (steps.every((step) => matters(step, steps, lists))) return pipeline(kind, steps, join);
  }
}

/** Every third of them leaves items out. */
function randomSteps(random: Random, kind: Kind, count: number): Step[] {
  const keep = () => keepStep(randomKeep(random, kind), ITEMS[kind]);
  const change = () => changeStep(randomChange(random, kind));
  const order = Array.from({ length: count }, (_, i) => (i % 3 === 0 ? keep : change));
  return random.shuffle(order).map((draw) => draw());
}

/** Whether something else comes of a list without it. */
function matters(step: Step, steps: readonly Step[], lists: readonly Json[][]): boolean {
  const others = steps.filter((other) => other !== step);
  return lists.some((list) => !isDeepStrictEqual(runSteps(steps, list), runSteps(others, list)));
}

function pipeline(kind: Kind, steps: readonly Step[], join: Part<Json[], Json>): Program {
  const items = ITEMS[kind];
  const plan = [...steps.map(({ words }) => words), join.words];
  return {
    parameter: 'list',
    description: {
      en: `takes a list of ${items.en} and goes step by step: ${plan.map(({ en }) => en).join(', then ')}`,
      zh: `接受一个${items.zh}的列表，一步一步来：${plan.map(({ zh }) => zh).join('，再')}`,
    },
    plan,
    body: [...steps.map(({ line }) => line), `return ${join.code};`],
    run: (input) => join.apply(runSteps(steps, input as Json[])),
    input: (own) => randomList(own, kind, SHORTEST, LONGEST),
  };
}

/** Small JavaScript functions from a description, judged by running them against tests. */
import { isDeepStrictEqual } from 'node:util';
import type { Random } from '../../random.ts';
import { answerOf, type Response } from '../response.ts';
import { solve } from '../solution.ts';
import type { Level, TaskFamily } from '../task.ts';
import { CORRECT, shorten, type Verdict, wrong } from '../verdict.ts';
import type { Phrase } from '../words.ts';
import { randomPipeline } from './pipelines.ts';
import { type Program, randomProgram } from './programs.ts';
import { callFunction, type Json } from './quickjs.ts';

interface Test {
  input: Json;
  output: Json;
}

/** Tests that the prompt shows, and in all. */
const [SHOWN, TESTS] = [2, 10];

export const code = programs(
  'code',
  'small JavaScript functions from a description, run against tests in a sandbox',
  randomProgram,
);

/**
 * The parts that `code` is made of, more of them and in any order. Pre-training leaves the family out and
 * fine-tuning shows a few, so that reinforcement learning has something to teach where `code` has nothing
 * left.
 */
export const pipelines = programs(
  'pipelines',
  'JavaScript functions that do several things to a list, one after another',
  randomPipeline,
);

function programs(
  family: string,
  description: string,
  draw: (random: Random, level: Level) => Program,
): TaskFamily {
  return {
    name: family,
    description,
    runsPrograms: true,
    generate(random, { language, level, thinking }) {
      const program = draw(random, level);
      const name = random.pick(FUNCTION_NAMES);
      const tests = makeTests(random, program);
      const { parameter, description, plan, body } = program;
      const header = `function ${name}(${parameter})`;
      const examples = tests
        .slice(0, SHOWN)
        .map(({ input, output }) => `${name}(${write(input)}) → ${write(output)}`);
      const question = random.pick(QUESTIONS)(`${name}(${parameter})`, description)[language];
      const source = [`${header} {`, ...body.map((line) => `  ${line}`), '}'].join('\n');
      return {
        family,
        key: `${family} ${parameter} ${body.join(' ')}`,
        messages: [{ role: 'user', content: [question, ...examples].join('\n') }],
        thinking,
        solution: solve(
          thinking,
          thinking ? plan.map((step) => step[language]) : [],
          `\`\`\`js\n${source}\n\`\`\``,
        ),
        verify: passes(name, tests),
      };
    },
  };
}

const FUNCTION_NAMES = ['f', 'run', 'solve', 'compute', 'transform', 'process', 'convert', 'apply'];

const QUESTIONS: readonly ((call: string, description: Phrase) => Phrase)[] = [
  (call, { en, zh }) => ({
    en: `Write a JavaScript function ${call} that ${en}.`,
    zh: `写一个JavaScript函数${call}，${zh}。`,
  }),
  (call, { en, zh }) => ({
    en: `JavaScript: ${call} ${en}.`,
    zh: `JavaScript：${call}${zh}。`,
  }),
  (call, { en, zh }) => ({
    en: `I need a function ${call} in JavaScript. It ${en}.`,
    zh: `请用JavaScript写函数${call}：${zh}。`,
  }),
];

/**
 * Different inputs with outputs as different as the function gives: first some with outputs that none
 * before had, since a test whose output is the usual one, such as an empty list, tells little.
 */
function makeTests(random: Random, { input, run }: Program): Test[] {
  const tests = new Map<string, Test>();
  const outputs = new Set<string>();
  for (let tries = 0; tests.size < TESTS && tries < 60; tries++) {
    const value = input(random);
    const output = run(value);
    const isNew = !outputs.has(JSON.stringify(output));
    if (!isNew && tries < 30) continue;
    outputs.add(JSON.stringify(output));
    tests.set(JSON.stringify(value), { input: value, output });
  }
  // The prompt shows the first ones: an empty output would explain nothing.
  const isEmpty = ({ output }: Test) => output === '' || JSON.stringify(output) === '[]';
  return [...tests.values()].sort((a, b) => Number(isEmpty(a)) - Number(isEmpty(b)));
}

/** The code in the last fence, or the whole answer if there is none. */
export function codeIn(answer: string): string {
  const fences = [...answer.matchAll(/```[a-z]*\n(.*?)```/gs)];
  return fences.length > 0 ? fences.at(-1)![1]! : answer;
}

function passes(name: string, tests: readonly Test[]): (response: Response) => Promise<Verdict> {
  return async (response) => {
    const outcomes = await callFunction(
      codeIn(answerOf(response)),
      name,
      tests.map(({ input }) => [input]),
    );
    for (const [i, outcome] of outcomes.entries()) {
      const { input, output } = tests[i]!;
      const call = `${name}(${write(input)})`;
      if ('error' in outcome) return wrong(`${call}: ${shorten(outcome.error)}`);
      if (!isDeepStrictEqual(outcome.value, positiveZero(output))) {
        return wrong(`${call} gives ${write(outcome.value)}, not ${write(output)}`);
      }
    }
    return CORRECT;
  };
}

/** JSON has one zero. */
function positiveZero(value: Json): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

/** As JavaScript is written by hand. */
function write(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(write).join(', ')}]`;
  return typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
}

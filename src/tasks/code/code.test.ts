import { expect, test } from 'vitest';
import { drawProblems } from '../../../test/support/draw-problems.ts';
import type { Problem } from '../task.ts';
import { code, codeIn, pipelines } from './index.ts';

const draw = (count: number, family = code) => drawProblems(family, count);

const sourceOf = ({ solution }: Problem) => codeIn(String(solution[0]!.content));
const nameIn = (source: string) => /function (\w+)/.exec(source)![1]!;

test.each([code, pipelines])('another problem’s program is wrong: $name', async (family) => {
  const problems = draw(25, family);
  let [wrong, tried] = [0, 0];
  for (const [i, problem] of problems.entries()) {
    const other = problems[(i + 7) % problems.length]!;
    if (other.key === problem.key) continue;
    const source = sourceOf(other).replace(/function \w+/, `function ${nameIn(sourceOf(problem))}`);
    tried++;
    if (!(await problem.verify(source)).correct) wrong++;
  }
  expect(wrong / tried).toBeGreaterThan(0.97);
});

test('a program that knows only the examples, or always says the same, is wrong', async () => {
  for (const problem of draw(10)) {
    const name = nameIn(sourceOf(problem));
    const examples = [...String(problem.messages[0]!.content).matchAll(/^\w+\((.*)\) → (.*)$/gm)];
    const known = examples.map(
      ([, input, output]) =>
        `if (JSON.stringify(x) === JSON.stringify(${input})) return ${output};`,
    );
    const parrot = `function ${name}(x) { ${known.join(' ')} return null; }`;
    const { correct, reason } = await problem.verify(parrot);
    expect(correct).toBe(false);
    expect(reason).toContain(`${name}(`);
  }
});

test('a pipeline without one of its steps is wrong', async () => {
  let [wrong, tried] = [0, 0];
  for (const problem of draw(8, pipelines)) {
    const lines = sourceOf(problem).split('\n');
    for (let i = 1; i < lines.length - 2; i++) {
      tried++;
      if (!(await problem.verify(lines.toSpliced(i, 1).join('\n'))).correct) wrong++;
    }
  }
  expect(wrong / tried).toBeGreaterThan(0.9);
});

test('code is read from the last fence, or from the whole answer', () => {
  expect(codeIn('a\n```js\nb\n```\nc\n```\nd\n```')).toBe('d\n');
  expect(codeIn('let a;')).toBe('let a;');
});

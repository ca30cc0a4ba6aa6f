import { describe, expect, test } from 'vitest';
import { Random } from '../../random.ts';
import { play } from '../play.ts';
import type { Problem } from '../task.ts';
import { shell } from './index.ts';
import { ShellSession } from './sandbox.ts';

const session = () => new ShellSession({ 'a.txt': 'one\ntwo\n', 'b/c.txt': 'three\n' });
const bash = (command: string) => ({ name: 'bash', arguments: { command } });
const replace = (path: string, old: string, replacement: string) => ({
  name: 'str_replace',
  arguments: { path, old, new: replacement },
});

describe('the shell', () => {
  test('works on its own files', async () => {
    const own = session();
    expect(await own.call(bash('cat a.txt | wc -l'))).toBe('2');
    expect(await own.call(bash('echo four >> b/c.txt'))).toBe('(no output)');
    expect(await own.call(replace('a.txt', 'two', '$&'))).toBe('replaced');
    expect(await own.files()).toEqual({ 'a.txt': 'one\n$&\n', 'b/c.txt': 'three\nfour\n' });
    expect(await session().files()).toEqual({ 'a.txt': 'one\ntwo\n', 'b/c.txt': 'three\n' });
  });

  test('says what is wrong with a call, and goes on', async () => {
    const own = session();
    expect(await own.call(bash('cat nothing'))).toMatch(/nothing: No such file/);
    expect(await own.call(replace('no.txt', 'a', 'b'))).toBe('error: there is no file no.txt');
    expect(await own.call(replace('a.txt', 'o', 'b'))).toMatch(/occurs 2 times in a\.txt/);
    expect(await own.call(replace('a.txt', '', 'b'))).toMatch(/occurs 0 times/);
    expect(await own.call({ name: 'bash', arguments: {} })).toBe('error: bash needs command');
    expect(await own.call({ name: 'rm', arguments: {} })).toBe('error: there is no tool rm');
    expect(own.finished).toBe(false);
  });

  test('ends with finish', async () => {
    const own = session();
    expect(await own.call({ name: 'finish', arguments: { answer: ' 2 ' } })).toBe('done');
    expect([own.finished, own.answer]).toEqual([true, '2']);
    expect(await own.call(bash('rm a.txt'))).toBe('error: the task has ended');
  });

  test.each([
    ['host files', 'cat /etc/hostname /etc/passwd; ls /root ..'],
    ['the network', 'curl http://127.0.0.1; wget http://127.0.0.1'],
    ['other languages', 'node -e 1; python3 -c 1; js-exec "1"'],
  ])('has no %s', async (_, command) => {
    const output = await session().call(bash(command));
    expect(output).toMatch(/No such file|command not found/);
    expect(output).not.toMatch(/root:x|<html/);
  });

  test.each([
    'while true; do :; done',
    'f() { f; }; f',
    'for i in $(seq 1 100000000); do echo $i; done',
    'a=x; while true; do a=$a$a; done',
  ])('stops what does not end: %s', async (command) => {
    const own = session();
    expect((await own.call(bash(command))).length).toBeLessThanOrEqual(4000);
    expect(await own.call(bash('echo still here'))).toBe('still here');
  });
});

describe('a job', () => {
  const options = { language: 'en', level: 'medium', thinking: true } as const;
  const isEdit = ({ messages }: Problem) => /^Set/.test(String(messages[0]!.content));
  const problem = Array.from({ length: 50 }, (_, seed) =>
    shell.generate(new Random(seed), options),
  ).find(isEdit)!;

  test('is judged by what its calls do, not by outputs that are made up', async () => {
    const madeUp = problem.solution.map((message) =>
      message.role === 'tool' ? { ...message, content: 'nonsense' } : message,
    );
    expect((await problem.verify(madeUp)).correct).toBe(true);
    const { correct, reason } = await problem.verify(problem.solution.slice(-1));
    expect(correct).toBe(false);
    expect(reason).toMatch(/\.conf is not as it should be$/);
  });

  test('that breaks other files is wrong', async () => {
    const extra = {
      role: 'assistant',
      tool_calls: [{ function: { name: 'bash', arguments: { command: 'touch other.txt' } } }],
    };
    const { correct, reason } = await problem.verify([extra, ...problem.solution]);
    expect(correct).toBe(false);
    expect(reason).toBe('other.txt is not as it should be');
  });

  test('is played turn by turn, with outputs between', async () => {
    const turns = problem.solution.filter(({ role }) => role === 'assistant');
    let turn = 0;
    const response = await play(problem, async (messages) => {
      expect(messages.slice(0, 1)).toEqual(problem.messages);
      return turns[turn++]!;
    });
    expect(response).toEqual(problem.solution);
    expect((await problem.verify(response)).correct).toBe(true);
  });

  test('that never ends is given up', async () => {
    const call = { function: { name: 'bash', arguments: { command: 'ls' } } };
    const response = await play(problem, async () => ({ role: 'assistant', tool_calls: [call] }));
    expect(response.length).toBe(24);
    expect((await problem.verify(response)).reason).toBe('never calls finish');
  });
});

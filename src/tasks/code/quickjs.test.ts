import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { callFunction, type Json } from './quickjs.ts';

const limits = { milliseconds: 100, megabytes: 8 };
const call = async (source: string, value: Json = 1) =>
  (await callFunction(source, 'f', [[value]], limits))[0]!;

describe('the sandbox', () => {
  test('passes JSON in and out as it is', async () => {
    const source = 'function f(x) { return x; }';
    const json = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>;
    await fc.assert(
      fc.asyncProperty(json, async (value) => {
        const outcome = await call(source, value);
        expect(outcome).toEqual({ value: JSON.parse(JSON.stringify(value)) });
      }),
      { numRuns: 60 },
    );
  });

  test('keeps a key that names the prototype', async () => {
    const value = JSON.parse('[{"":{"__proto__":false}},{"__proto__":{"a":1}}]') as Json;
    const outcome = await call('function f(x) { return [x, Object.keys(x[0][""])]; }', value);
    expect(JSON.stringify(outcome)).toBe(JSON.stringify({ value: [value, ['__proto__']] }));
  });

  test.each([
    ['a loop without end', 'function f() { for (;;) {} }', 'ran out of time'],
    ['a loop outside the function', 'for (;;) {}', 'ran out of time'],
    [
      'growth without end',
      'function f() { let a = "x"; for (;;) a += a; }',
      /out of memory|too long/,
    ],
    ['recursion without end', 'function f() { return f(); }', /stack overflow/],
    ['no function', 'const g = 1;', "ReferenceError: 'f' is not defined"],
    ['a syntax error', 'function f( {', /^SyntaxError/],
    ['a thrown error', 'function f() { throw new Error("no"); }', 'Error: no'],
    ['a thrown value', 'function f() { throw 5; }', '5'],
  ])('stops %s', async (_, source, message) => {
    const outcome = await call(source);
    if (!('error' in outcome)) throw new Error(`gives ${JSON.stringify(outcome.value)}`);
    expect(outcome.error).toMatch(message);
  });

  test.each([
    'process',
    'require',
    'fetch',
    'globalThis.constructor.constructor("return process")()',
    'new Function("return process")()',
  ])('has no %s', async (expression) => {
    expect(await call(`function f() { return ${expression}; }`)).toMatchObject({
      error: expect.stringContaining('not defined'),
    });
  });

  test('stops a result that never ends', async () => {
    const outcome = await call('function f() { return { get a() { for (;;) {} } }; }');
    expect(outcome).toEqual({ value: '[object Object]' });
  });

  test('has no modules', async () => {
    const outcome = await call('import fs from "fs"; function f() {}');
    expect(outcome).toHaveProperty('error');
    expect(await call('function f() { import("fs"); return 1; }')).toBeDefined();
  });

  test('begins anew for each program', async () => {
    await call('Array.prototype.map = () => 7; function f() {}');
    expect(await call('function f() { return [1].map((x) => x + 1); }')).toEqual({ value: [2] });
  });
});

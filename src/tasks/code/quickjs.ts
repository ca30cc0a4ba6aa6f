/**
 * Runs JavaScript that a model wrote in QuickJS, an interpreter inside WebAssembly: it sees no host, no
 * files and no network, and has limits of time, memory and stack. A context is thrown away after use.
 */
import type { QuickJSContext, QuickJSHandle, QuickJSWASMModule } from 'quickjs-emscripten';

/** A value that JSON can write. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Limits {
  /** For all calls together. */
  milliseconds: number;
  megabytes: number;
}

const DEFAULT_LIMITS: Limits = { milliseconds: 500, megabytes: 16 };

/** What a call gave, or the one-line message of what went wrong. */
export type Outcome = { value: Json } | { error: string };

/**
 * Runs `source` and then calls the function `name` of it with each list of arguments.
 *
 * @returns an outcome for each call; after one that ran out of time the others do not run
 */
export async function callFunction(
  source: string,
  name: string,
  calls: readonly (readonly Json[])[],
  limits: Limits = DEFAULT_LIMITS,
): Promise<Outcome[]> {
  // Loaded when first used: making problems runs nothing.
  const { getQuickJS } = await import('quickjs-emscripten');
  const quickJs = await getQuickJS();
  return withContext(quickJs, limits, (context) => {
    const defined = run(context, source);
    if ('error' in defined) return calls.map(() => defined);
    return calls.map((values) => {
      // Parsed inside: as a literal, a key `__proto__` would set the prototype of its object.
      const list = JSON.stringify(JSON.stringify(values));
      return run(context, `${name}(...JSON.parse(${list}))`);
    });
  });
}

function withContext<Result>(
  quickJs: QuickJSWASMModule,
  { milliseconds, megabytes }: Limits,
  work: (context: QuickJSContext) => Result,
): Result {
  const runtime = quickJs.newRuntime();
  try {
    runtime.setMemoryLimit(megabytes * 2 ** 20);
    runtime.setMaxStackSize(256 * 2 ** 10);
    const deadline = Date.now() + milliseconds;
    runtime.setInterruptHandler(() => Date.now() > deadline);
    const context = runtime.newContext();
    try {
      return work(context);
    } finally {
      context.dispose();
    }
  } finally {
    runtime.dispose();
  }
}

function run(context: QuickJSContext, source: string): Outcome {
  const result = context.evalCode(source, 'answer.js');
  const handle = result.error ?? result.value;
  try {
    return result.error
      ? { error: describeError(context.dump(handle)) }
      : { value: toJson(context, handle) };
  } finally {
    handle.dispose();
  }
}

/** `undefined` and functions are `null`, as in a JSON list. */
function toJson(context: QuickJSContext, value: QuickJSHandle): Json {
  switch (context.typeof(value)) {
    case 'undefined':
    case 'function':
    case 'symbol':
      return null;
    case 'bigint':
      return String(context.dump(value));
    default: {
      const dumped: unknown = context.dump(value);
      // What JSON cannot write, such as an object that holds itself, comes as a text.
      return JSON.parse(JSON.stringify(dumped ?? null)) as Json;
    }
  }
}

function describeError(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const { name = 'Error', message = '' } = error as { name?: unknown; message?: unknown };
  return message === 'interrupted' ? 'ran out of time' : `${name}: ${message}`;
}

/**
 * How fast a model of a given shape runs on few rows, with random weights: tokens a second of a prompt and
 * of decoding after contexts, and what verifying four tokens costs against one.
 *
 * Run: node bench/inference.ts bench/small.json [--bits 8|4|32] [--threads 2] [--contexts 0,4096,16384]
 *      [--cache-type f32|f16|i8] [--prompt 512] [--seconds 2] [--profile]
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { createDevice } from '../src/device/create-device.ts';
import { packDocuments } from '../src/model/batch.ts';
import { type AttentionConfig, attentionOf } from '../src/model/config.ts';
import { describeModel } from '../src/model/describe.ts';
import { parseHubConfig } from '../src/model/hub-config.ts';
import { type StepCache, stepLogits, stepTrunk } from '../src/model/step.ts';
import { trunk } from '../src/model/trunk.ts';
import type { Model } from '../src/model/weights.ts';
import { Random } from '../src/random.ts';
import { type CacheType, cacheTypes } from '../src/tensor/cache-type.ts';
import type { Device } from '../src/tensor/device.ts';
import { linear } from '../src/tensor/ops/index.ts';
import { QuantizedMatrix } from '../src/tensor/quantized-matrix.ts';
import { readInts, Scope } from '../src/tensor/scope.ts';
import { Tensor } from '../src/tensor/tensor.ts';
import { emptyCache } from '../test/conformance/cached-rows.ts';
import { modelOfNoise } from './model-of-noise.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    device: { type: 'string', default: 'wasm' },
    bits: { type: 'string', default: '8' },
    threads: { type: 'string', default: '2' },
    contexts: { type: 'string', default: '0,4096,16384' },
    prompt: { type: 'string', default: '512' },
    seconds: { type: 'string', default: '2' },
    'cache-type': { type: 'string', default: 'f32' },
    profile: { type: 'boolean', default: false },
  },
});

const pageSize = 64;
const cacheType = cacheTypes.find((type) => type === options['cache-type']);
if (!cacheType) throw new Error(`give a type of cache: ${cacheTypes.join(', ')}`);

/** Caches that hold `positions` of one sequence; a ring of the window where there is one. */
function makeCache(scope: Scope, model: Model, positions: number, cacheType: CacheType) {
  const { config } = model;
  const layers = config.layers.map((_, layer) => {
    const attention = attentionOf(config, layer);
    const { keyValueHeads, headDim, valueHeadDim } = attention;
    const width = pagesOf(attention, positions);
    // A window is small and not in whole pages of four rows: it stays in f32.
    const dtype = attention.window === null ? cacheType : 'f32';
    const held = width * pageSize;
    const keys = emptyCache(scope, dtype, [held, keyValueHeads, headDim]);
    const values = emptyCache(scope, dtype, [held, keyValueHeads, valueHeadDim]);
    return { keys, values, width, attention };
  });
  return (inner: Scope, first: number, rows: number): StepCache => {
    const layouts = new Map<number, Tensor>();
    return (slot) => {
      const { keys, values, width } = layers[slot]!;
      let layout = layouts.get(width);
      if (!layout) {
        const data = [
          ...Array.from({ length: rows }, (_, i) => first + i),
          ...Array<number>(rows).fill(0),
          ...Array(width).keys(),
        ];
        layout = inner.from([data.length], Int32Array.from(data));
        layouts.set(width, layout);
      }
      return { keys, values, pageSize, width, layout };
    };
  };
}

function pagesOf({ window }: AttentionConfig, positions: number): number {
  const held = window === null ? positions : Math.min(positions, window + 8);
  return Math.ceil(held / pageSize);
}

/** Seconds of a pass of `rows` tokens after `context`, read back; the best and the median of several. */
async function timeSteps(
  model: Model,
  { context, rows, cacheType }: { context: number; rows: number; cacheType: CacheType },
  seconds: number,
) {
  const { device } = model;
  const scope = new Scope(device);
  const cacheAt = makeCache(scope, model, context + rows + 1, cacheType);
  const random = new Random(2);
  const times: number[] = [];
  const begin = performance.now();
  while (times.length < 5 || performance.now() - begin < seconds * 1e3) {
    const start = performance.now();
    const inner = new Scope(device);
    const ids = Int32Array.from({ length: rows }, () => random.int(0, model.config.vocabSize - 1));
    const tokens = inner.from([rows], ids);
    const { residual } = stepTrunk(inner, model, tokens, cacheAt(inner, context, rows));
    const logits = inner.empty([rows, model.config.vocabSize]);
    stepLogits(model, model.finalNorm, residual, null, logits);
    const next = inner.empty([rows], 'i32');
    device.kernels.argmax({ x: logits, out: next });
    await readInts(device, next);
    inner.close();
    times.push((performance.now() - start) / 1e3);
  }
  scope.close();
  return summary(times);
}

async function timePrompt(model: Model, length: number, seconds: number) {
  const { device } = model;
  const random = new Random(3);
  const tokens = Array.from({ length }, () => random.int(0, model.config.vocabSize - 1));
  const times: number[] = [];
  const begin = performance.now();
  while (times.length < 2 || performance.now() - begin < seconds * 1e3) {
    const start = performance.now();
    const scope = new Scope(device);
    const { hidden } = trunk(scope, model, packDocuments(scope, [tokens]));
    const logits = linear(scope, hidden.slice(length - 1, length), model.head);
    const next = scope.empty([1], 'i32');
    device.kernels.argmax({ x: logits, out: next });
    await readInts(device, next);
    scope.close();
    times.push((performance.now() - start) / 1e3);
  }
  return summary(times);
}

interface KernelTimes {
  name: string;
  /** In one pass, and the seconds that these take if each takes its best time. */
  calls: number;
  best: number;
}

/**
 * Times kernels on a machine that others use too: of all calls with the same shapes the shortest counts.
 * `take` gives the times of a pass; passes end with `argmax`.
 */
function timed(device: Device): { device: Device; take: () => KernelTimes[] } {
  const best = new Map<string, number>();
  let pass = new Map<string, number>();
  let last = pass;
  const kernels = Object.fromEntries(
    Object.entries(device.kernels).map(([name, run]: [string, (a: never) => void]) => [
      name,
      (a: Record<string, unknown>) => {
        const start = performance.now();
        run(a as never);
        const seconds = (performance.now() - start) / 1e3;
        const key = `${name} ${shapesOf(a)}`;
        best.set(key, Math.min(best.get(key) ?? Number.POSITIVE_INFINITY, seconds));
        pass.set(key, (pass.get(key) ?? 0) + 1);
        if (name !== 'argmax') return;
        last = pass;
        pass = new Map();
      },
    ]),
  );
  const proxy = new Proxy(device, {
    get(target, name) {
      if (name === 'kernels') return kernels;
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const take = () => {
    const byName = new Map<string, KernelTimes>();
    for (const [key, calls] of last) {
      const name = key.slice(0, key.indexOf(' '));
      const entry = byName.get(name) ?? { name, calls: 0, best: 0 };
      entry.calls += calls;
      entry.best += calls * best.get(key)!;
      byName.set(name, entry);
    }
    best.clear();
    last = new Map();
    return [...byName.values()].sort((a, b) => b.best - a.best);
  };
  return { device: proxy, take };
}

function shapesOf(a: Record<string, unknown>): string {
  return Object.values(a)
    .map((value) => {
      if (value instanceof Tensor || value instanceof QuantizedMatrix) return `[${value.shape}]`;
      return typeof value === 'object' && value && 'width' in value ? `width ${value.width}` : '';
    })
    .join('');
}

function summary(times: number[]): { best: number; median: number } {
  const sorted = times.toSorted((a, b) => a - b);
  return { best: sorted[0]!, median: sorted[sorted.length >> 1]! };
}

const [path] = positionals;
if (path === undefined) throw new Error('give a hub config, such as bench/small.json');
const bits = Number(options.bits);
const seconds = Number(options.seconds);
const config = parseHubConfig(JSON.parse(await readFile(path, 'utf8')), path);
const plain = await createDevice(options.device, { threads: Number(options.threads) });
const { device, take } = options.profile ? timed(plain) : { device: plain, take: () => [] };
const loading = performance.now();
const model = modelOfNoise(device, config, bits);
const { parameters, cache } = describeModel(config, cacheType);
const bytesPerParameter = bits === 32 ? 4 : bits / 8 + 1 / 16;
console.log(
  `${path}: ${(parameters.trunk / 1e6).toFixed(0)}M parameters, ${(parameters.active / 1e6).toFixed(0)}M active, ` +
    `${bits} bits, ${device.description}; ${(device.allocatedBytes / 2 ** 20).toFixed(0)} MiB of weights ` +
    `in ${((performance.now() - loading) / 1e3).toFixed(1)} s, process ${(process.memoryUsage.rss() / 2 ** 20).toFixed(0)} MiB`,
);
const show = (
  name: string,
  tokens: number,
  { best, median }: { best: number; median: number },
  bytes = 0,
) => {
  const rate = (seconds: number) => (tokens / seconds).toFixed(1);
  const bandwidth = bytes > 0 ? `, ${(bytes / best / 1e9).toFixed(1)} GB/s` : '';
  console.log(`  ${name}: ${rate(best)} tokens/s, median ${rate(median)}${bandwidth}`);
  const kernels = take();
  const total = kernels.reduce((sum, kernel) => sum + kernel.best, 0);
  if (total > 0) console.log(`    undisturbed: ${rate(total)} tokens/s by kernels`);
  for (const { name: kernel, calls, best: spent } of kernels.slice(0, 9)) {
    const share = ((100 * spent) / total).toFixed(0).padStart(3);
    const each = ((spent / calls) * 1e6).toFixed(1).padStart(9);
    console.log(`      ${kernel.padEnd(22)}${String(calls).padStart(5)} ×${each} µs ${share} %`);
  }
};
const length = Number(options.prompt);
if (length > 0) show(`prompt of ${length}`, length, await timePrompt(model, length, seconds));
for (const context of options.contexts.split(',').filter(Boolean).map(Number)) {
  const held =
    cache.globalBytesPerToken * context + cache.slidingBytes * Math.min(1, context / cache.window);
  const bytes = parameters.active * bytesPerParameter + held;
  const one = await timeSteps(model, { context, rows: 1, cacheType }, seconds);
  show(`decoding after ${context}`, 1, one, bytes);
  const four = await timeSteps(model, { context, rows: 4, cacheType }, seconds / 2);
  console.log(
    `  four tokens after ${context}: ${(four.best / one.best).toFixed(2)} times one (median ${(four.median / one.median).toFixed(2)})`,
  );
}
await device.destroy();

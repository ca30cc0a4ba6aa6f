/**
 * Steps of inference on the shape `small`, without an engine: the trunk on few rows, the head, sampling,
 * and reading one token, over caches that hold random values.
 *
 *   node bench/decoding.ts [kernels] [--bits 32|8|4] [--cache-type f32|f16]
 *
 * A line a case: microseconds a step, of these on the host until all is queued, and rows a second. With
 * `kernels`, the time of each kernel, on a device that measures it (and is slower for it).
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createWebgpuDevice } from '../src/device/webgpu/device.ts';
import { attentionOf } from '../src/model/config.ts';
import { parseHubConfig } from '../src/model/hub-config.ts';
import { stepLogits, stepTrunk } from '../src/model/step.ts';
import type { Model } from '../src/model/weights.ts';
import { Random } from '../src/random.ts';
import { type CacheType, cacheTypes } from '../src/tensor/cache-type.ts';
import type { CachedRows } from '../src/tensor/inference-kernels.ts';
import { readInts, Scope } from '../src/tensor/scope.ts';
import type { Tensor } from '../src/tensor/tensor.ts';
import { emptyCache } from '../test/conformance/cached-rows.ts';
import { modelOfNoise } from './model-of-noise.ts';

const pageSize = 64;

interface Case {
  sequences: number;
  /** Rows of each sequence: one, or more to verify drafts. */
  rows: number;
  context: number;
  /** (temperature, topP, topK, minP) */
  sampling: number[];
}

const plain = [1, 1, 0, 0];
const cases: Case[] = [
  { sequences: 1, rows: 1, context: 128, sampling: plain },
  { sequences: 1, rows: 1, context: 4096, sampling: plain },
  { sequences: 1, rows: 1, context: 4096, sampling: [0.8, 0.95, 50, 0] },
  { sequences: 1, rows: 4, context: 1024, sampling: plain },
  { sequences: 1, rows: 4, context: 4096, sampling: plain },
  { sequences: 8, rows: 1, context: 1024, sampling: plain },
  { sequences: 32, rows: 1, context: 1024, sampling: plain },
  { sequences: 32, rows: 4, context: 1024, sampling: plain },
];

/** A cache of every layer, with the tables of both kinds of attention. */
class Caches {
  readonly #scope: Scope;
  readonly #slots: CachedRows[];
  readonly #layouts = new Map<number | null, { layout: Tensor; table: number[] }>();
  readonly #work: Case;

  constructor(model: Model, work: Case, type: CacheType) {
    const { config, device } = model;
    this.#scope = new Scope(device);
    this.#work = work;
    const random = new Random(3);
    const { sequences, rows, context } = work;
    this.#slots = config.layers.map((_, layer) => {
      const { window, keyValueHeads, headDim, valueHeadDim } = attentionOf(config, layer);
      const positions = window === null ? context + rows : window + rows;
      const width = Math.ceil(positions / pageSize) + (window === null ? 0 : 1);
      const pages = sequences * width;
      if (!this.#layouts.has(window)) {
        const table = Array.from({ length: pages }, (_, page) => page);
        const layout = this.#scope.empty([2 * sequences * rows + pages], 'i32');
        this.#layouts.set(window, { layout, table });
      }
      const held = pages * pageSize;
      const keys = emptyCache(this.#scope, type, [held, keyValueHeads, headDim]);
      const values = emptyCache(this.#scope, type, [held, keyValueHeads, valueHeadDim]);
      const inner = new Scope(device);
      const noise = (numbers: number) => {
        const columns = keyValueHeads * numbers;
        return inner.from([held, columns], random.normals(held * columns, 1));
      };
      const [key, value] = [noise(headDim), noise(valueHeadDim)];
      const indices = inner.from([held], Int32Array.from(Array(held).keys()));
      device.kernels.writeCachedRows({ key, value, indices, keyValueHeads, keys, values });
      inner.close();
      return { keys, values, pageSize, width, layout: this.#layouts.get(window)!.layout };
    });
  }

  /** Writes where the rows of a step lie, as an engine does at each. */
  place(): void {
    const { sequences, rows, context } = this.#work;
    const each = Array.from({ length: sequences * rows }, (_, i) => i);
    for (const { layout, table } of this.#layouts.values()) {
      const positions = each.map((i) => context - rows + (i % rows));
      const data = [...positions, ...each.map((i) => Math.floor(i / rows)), ...table];
      this.#scope.device.write(layout.storage, 0, Int32Array.from(data));
    }
  }

  slot = (slot: number): CachedRows => this.#slots[slot]!;

  release(): void {
    this.#scope.close();
  }
}

/** Microseconds of a step, and of these on the host. */
async function timeSteps(
  model: Model,
  work: Case,
  type: CacheType,
  steps: number,
): Promise<[number, number]> {
  const { device, config } = model;
  const kept = new Scope(device);
  const caches = new Caches(model, work, type);
  const count = work.sequences * work.rows;
  const random = new Random(5);
  const tokens = kept.from(
    [count],
    Int32Array.from({ length: count }, () => random.int(0, config.vocabSize - 1)),
  );
  const settings = kept.from(
    [count, 4],
    Float32Array.from({ length: 4 * count }, (_, i) => work.sampling[i % 4]!),
  );
  const uniforms = kept.empty([count]);
  const places = kept.from(
    [count, 1],
    Int32Array.from({ length: count }, (_, i) => i),
  );
  let host = 0;
  const begin = performance.now();
  for (let step = 0; step < steps; step++) {
    const stepBegin = performance.now();
    caches.place();
    const numbers = Float32Array.from({ length: count }, () => random.uniform());
    device.write(uniforms.storage, 0, numbers);
    const scope = new Scope(device);
    const { residual } = stepTrunk(scope, model, tokens, caches.slot);
    const logits = scope.empty([count, config.vocabSize]);
    stepLogits(model, model.finalNorm, residual, null, logits);
    const { vocabSize } = config;
    const sampling = { logits, settings, vocabSize, uniforms, places, out: tokens };
    device.kernels.sampleTokens(sampling);
    const result = readInts(device, tokens);
    scope.close();
    host += performance.now() - stepBegin;
    await result;
  }
  const seconds = (performance.now() - begin) / 1e3;
  caches.release();
  kept.close();
  return [(1e6 * seconds) / steps, (1e3 * host) / steps];
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bits: { type: 'string', default: '32' },
    'cache-type': { type: 'string', default: 'f32' },
  },
});
const profile = positionals.includes('kernels');
const cacheType = cacheTypes.find((type) => type === options['cache-type']);
if (!cacheType) throw new Error(`give a type of cache: ${cacheTypes.join(', ')}`);
const device = await createWebgpuDevice({ profile });
console.log(device.description);
const hub = JSON.parse(readFileSync(new URL('small.json', import.meta.url), 'utf8'));
const model = modelOfNoise(device, parseHubConfig(hub, 'small'), Number(options.bits));
// The first steps compile kernels, and an idle GPU takes some hundred milliseconds to reach its clock.
await timeSteps(model, cases[0]!, cacheType, 300);
for (const work of cases) {
  const { sequences, rows, context, sampling } = work;
  await timeSteps(model, work, cacheType, 20);
  await device.takeTimes();
  const steps = 200;
  const [whole, host] = await timeSteps(model, work, cacheType, steps);
  const rate = (1e6 * sequences * rows) / whole;
  console.log(
    `${sequences} × ${rows} rows at ${context}, sampling ${sampling}:`,
    `${whole.toFixed(0)} µs a step, host ${host.toFixed(0)}, ${rate.toFixed(0)} rows/s`,
  );
  const times = await device.takeTimes();
  const all = times.reduce((sum, { seconds }) => sum + seconds, 0);
  if (profile) console.log(`  GPU in all ${((1e6 * all) / steps).toFixed(0)} µs`);
  for (const { kernel, calls, seconds } of times) {
    const [each, sum] = [(1e6 * seconds) / calls, (1e6 * seconds) / steps];
    console.log(`  ${kernel}: ${calls / steps} × ${each.toFixed(2)} = ${sum.toFixed(1)} µs`);
  }
}
await device.destroy();

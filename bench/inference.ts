/**
 * How fast a model of a given shape runs on few rows, with random weights: tokens a second of a prompt and
 * of decoding after contexts, and what verifying four tokens costs against one.
 *
 * Run: node bench/inference.ts bench/small.json [--bits 8|4|32] [--threads 2] [--contexts 0,4096,16384]
 *      [--cache f32|f16] [--prompt 512] [--seconds 2] [--profile]
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { createDevice } from '../src/device/create-device.ts';
import { profiled } from '../src/eval/profile.ts';
import { packDocuments } from '../src/model/batch.ts';
import { type AttentionConfig, attentionOf } from '../src/model/config.ts';
import { describeModel } from '../src/model/describe.ts';
import { parseHubConfig } from '../src/model/hub-config.ts';
import { type StepCache, stepTrunk } from '../src/model/step.ts';
import { trunk } from '../src/model/trunk.ts';
import { allocateModel, allocateQuantizedModel, type Model } from '../src/model/weights.ts';
import { Random } from '../src/random.ts';
import type { Device } from '../src/tensor/device.ts';
import { linear } from '../src/tensor/ops/index.ts';
import { QuantizedMatrix } from '../src/tensor/quantized-matrix.ts';
import { readInts, Scope } from '../src/tensor/scope.ts';
import { bytesPerElement, Tensor } from '../src/tensor/tensor.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    device: { type: 'string', default: 'wasm' },
    bits: { type: 'string', default: '8' },
    threads: { type: 'string', default: '2' },
    contexts: { type: 'string', default: '0,4096,16384' },
    prompt: { type: 'string', default: '512' },
    seconds: { type: 'string', default: '2' },
    cache: { type: 'string', default: 'f32' },
    profile: { type: 'boolean', default: false },
  },
});

const pageSize = 64;
const dtype = options.cache === 'f16' ? 'f16' : 'f32';

/** Noise of the deviation that a new model has, repeated where there is more than a mebibyte of it. */
function fillWithNoise(device: Device, model: Model): void {
  const random = new Random(1);
  const noise = random.normals(2 ** 18, model.config.initializerRange);
  const integers = Uint8Array.from({ length: 2 ** 20 }, () => random.int(0, 255));
  for (const parameter of new Set(model.parameters.values())) {
    if (parameter instanceof QuantizedMatrix) {
      // In parts, whole blocks of rows.
      const part = Math.max(4, Math.floor(2 ** 20 / parameter.columns / 4) * 4);
      const flat = new QuantizedMatrix(
        [parameter.rows, parameter.columns],
        parameter.bits,
        parameter.storage,
        parameter.byteOffset,
      );
      for (let begin = 0; begin < flat.rows; begin += part) {
        const rows = flat.slice(begin, Math.min(begin + part, flat.rows));
        const numbers = integers.slice(0, (rows.size * rows.bits) / 8);
        // Uniform numbers deviate by 2^bits/√12; the scale as a bfloat16.
        const scale = new Float32Array([
          (noise.length && model.config.initializerRange * Math.sqrt(12)) / 2 ** rows.bits,
        ]);
        const code = new Uint32Array(scale.buffer)[0]! >>> 16;
        device.writeQuantized!(rows, {
          numbers,
          scales: new Uint16Array(rows.size / 32).fill(code),
        });
      }
      continue;
    }
    const isVector = parameter.shape.length === 1;
    for (let begin = 0; begin < parameter.size; begin += noise.length) {
      const count = Math.min(noise.length, parameter.size - begin);
      const data = isVector ? new Float32Array(count).fill(1) : noise.subarray(0, count);
      device.write(parameter.storage, parameter.byteOffset + 4 * begin, data);
    }
  }
}

/** Caches that hold `positions` of one sequence; a ring of the window where there is one. */
function makeCache(scope: Scope, model: Model, positions: number) {
  const { config } = model;
  const layers = config.layers.map((_, layer) => {
    const attention = attentionOf(config, layer);
    const { keyValueHeads, headDim, valueHeadDim } = attention;
    const width = pagesOf(attention, positions);
    const rows = (columns: number) => {
      const zeros = scope.zeros([(width * pageSize * columns) / (dtype === 'f16' ? 2 : 1)]);
      return new Tensor([width * pageSize, columns], dtype, zeros.storage);
    };
    const keys = rows(keyValueHeads * headDim);
    const values = rows(keyValueHeads * valueHeadDim);
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
async function timeSteps(model: Model, context: number, rows: number, seconds: number) {
  const { device } = model;
  const scope = new Scope(device);
  const cacheAt = makeCache(scope, model, context + rows + 1);
  const random = new Random(2);
  const times: number[] = [];
  const begin = performance.now();
  while (times.length < 5 || performance.now() - begin < seconds * 1e3) {
    const start = performance.now();
    const inner = new Scope(device);
    const ids = Int32Array.from({ length: rows }, () => random.int(0, model.config.vocabSize - 1));
    const tokens = inner.from([rows], ids);
    const { hidden } = stepTrunk(inner, model, tokens, cacheAt(inner, context, rows));
    const logits = linear(inner, hidden, model.head);
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
const { device, take } = options.profile ? profiled(plain) : { device: plain, take: () => [] };
const model =
  bits === 8 || bits === 4
    ? allocateQuantizedModel(device, config, bits)
    : allocateModel(device, config);
const loading = performance.now();
fillWithNoise(device, model);
const { parameters, cache } = describeModel(config);
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
  for (const { kernel, calls, seconds: spent } of take().slice(0, 12)) {
    const each = ((spent / calls) * 1e6).toFixed(1).padStart(10);
    console.log(
      `      ${kernel.padEnd(24)}${String(calls).padStart(8)}${each} µs each, ${(spent * 1e3).toFixed(0).padStart(6)} ms`,
    );
  }
};
const length = Number(options.prompt);
if (length > 0) show(`prompt of ${length}`, length, await timePrompt(model, length, seconds));
for (const context of options.contexts.split(',').filter(Boolean).map(Number)) {
  const held =
    cache.globalBytesPerToken * context + cache.slidingBytes * Math.min(1, context / cache.window);
  const bytes = parameters.active * bytesPerParameter + held * (bytesPerElement[dtype] / 4);
  const one = await timeSteps(model, context, 1, seconds);
  show(`decoding after ${context}`, 1, one, bytes);
  const four = await timeSteps(model, context, 4, seconds / 2);
  console.log(
    `  four tokens after ${context}: ${(four.best / one.best).toFixed(2)} times one (median ${(four.median / one.median).toFixed(2)})`,
  );
}
await device.destroy();

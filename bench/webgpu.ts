/**
 * Rates of the webgpu device on the shape `small`: products, training without and with an MTP head,
 * prefill and decoding; all of them, or those that are named.
 *
 *   node bench/webgpu.ts [f32|mixed] [sequences] [profile] [products|training|mtp|prefill|decoding …]
 *
 * Each figure is the best of several runs after a warm-up: the first run compiles kernels, and a GPU that
 * was idle needs some hundred milliseconds of work to reach its clock.
 */
import { readFileSync } from 'node:fs';
import { createWebgpuDevice, type WebgpuDevice } from '../src/device/webgpu/device.ts';
import { Sequence } from '../src/engine/sequence.ts';
import { packDocuments } from '../src/model/batch.ts';
import { parseHubConfig } from '../src/model/hub-config.ts';
import { initializeModel } from '../src/model/initialize.ts';
import { trunk } from '../src/model/trunk.ts';
import { type Model, releaseModel } from '../src/model/weights.ts';
import { Random } from '../src/random.ts';
import { gatherRows, linear } from '../src/tensor/ops/index.ts';
import { readFloats, Scope } from '../src/tensor/scope.ts';
import { allocateGradients } from '../src/train/gradients.ts';
import { forwardBackward } from '../src/train/objective.ts';
import { AdamW } from '../src/train/optimizer.ts';
import { stepTotals, trainingBatch } from '../src/train/targets.ts';

const precision = process.argv.includes('f32') ? 'f32' : 'mixed';
const profile = process.argv.includes('profile');
const sequences = Number(process.argv.find((word) => /^\d+$/.test(word)) ?? 64);
const prefills = 32;
const length = 1024;
const figures = ['products', 'training', 'mtp', 'prefill', 'decoding'] as const;
const named = figures.filter((figure) => process.argv.includes(figure));
const wanted = (figure: (typeof figures)[number]) => named.length === 0 || named.includes(figure);

/** The shortest time of `work` in seconds. */
async function shortest(work: () => Promise<void>): Promise<number> {
  await work();
  const warm = performance.now();
  while (performance.now() - warm < 800) await work();
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 6; run++) {
    const begin = performance.now();
    await work();
    best = Math.min(best, (performance.now() - begin) / 1e3);
  }
  return best;
}

async function timeMatmul(device: WebgpuDevice, size: number): Promise<void> {
  for (const [transposeA, transposeB] of [
    [false, true],
    [false, false],
    [true, false],
  ] as const) {
    const scope = new Scope(device);
    const data = new Random(1).normals(size * size, 1);
    const [a, b] = [scope.from([size, size], data), scope.from([size, size], data)];
    const out = scope.empty([size, size]);
    const times = 20;
    const seconds = await shortest(async () => {
      for (let i = 0; i < times; i++) {
        device.kernels.matmul({ a, b, out, transposeA, transposeB, accumulate: false });
      }
      await readFloats(device, out.slice(0, 1));
    });
    const layout = `${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'}`;
    const rate = (2 * size ** 3 * times) / seconds;
    console.log(`matmul ${size} ${layout}: ${(rate / 1e12).toFixed(1)} TFLOP/s`);
    scope.close();
  }
}

async function timeTraining(device: WebgpuDevice, model: Model): Promise<void> {
  const gradients = allocateGradients(model);
  const optimizer = new AdamW(model, gradients, {});
  const random = new Random(1);
  const token = () => random.int(0, model.config.vocabSize - 1);
  const batch = trainingBatch(
    Array.from({ length: sequences }, () => Array.from({ length }, token)),
  );
  const heads = model.config.mtpHeads;
  const totals = stepTotals([batch], heads);
  const seconds = await shortest(async () => {
    await device.takeTimes();
    await forwardBackward(model, gradients, batch, { totals, mtpLossWeight: heads > 0 ? 0.3 : 0 });
    await optimizer.step(1e-4);
  });
  const rate = batch.tokens.length / seconds;
  const shape = `${sequences}×${length}, ${heads} MTP heads, ${precision}`;
  console.log(`training ${shape}: ${rate.toFixed(0)} tokens/s`);
  await printTimes(device, 1);
  optimizer.release();
}

/** A forward pass over whole prompts and the logits after each, as before the first new token. */
async function timePrefill(device: WebgpuDevice, model: Model): Promise<void> {
  const random = new Random(1);
  const token = () => random.int(0, model.config.vocabSize - 1);
  const prompts = Array.from({ length: prefills }, () => Array.from({ length }, token));
  const lastRows = Int32Array.from(prompts, (_, i) => (i + 1) * length - 1);
  const seconds = await shortest(async () => {
    await device.takeTimes();
    const scope = new Scope(device);
    const { hidden } = trunk(scope, model, packDocuments(scope, prompts));
    const rows = scope.from([prefills], lastRows);
    await readFloats(device, linear(scope, gatherRows(scope, hidden, rows), model.head));
    scope.close();
  });
  const rate = (prefills * length) / seconds;
  console.log(`prefill ${prefills}×${length}, ${precision}: ${rate.toFixed(0)} tokens/s`);
  await printTimes(device, 1);
}

async function timeDecoding(device: WebgpuDevice, model: Model, context: number): Promise<void> {
  const random = new Random(2);
  const prompt = Array.from({ length: context }, () => random.int(0, model.config.vocabSize - 1));
  const sequence = new Sequence(model);
  let begin = 0;
  let count = 0;
  for await (const _ of sequence.generate(prompt, { maxTokens: 200, stopTokens: [], drafts: 0 })) {
    // The first tokens compile kernels.
    if (++count === 20) {
      await device.takeTimes();
      begin = performance.now();
    }
  }
  const seconds = (performance.now() - begin) / 1e3;
  console.log(`decoding at ${context}: ${((count - 20) / seconds).toFixed(0)} tokens/s`);
  await printTimes(device, count - 20);
  sequence.release();
}

/** Time by kernel since the last call, of each of `runs`. */
async function printTimes(device: WebgpuDevice, runs: number): Promise<void> {
  const times = await device.takeTimes();
  for (const { kernel, calls, seconds } of times.slice(0, 24)) {
    console.log(`  ${kernel}: ${calls / runs} calls, ${((seconds * 1e3) / runs).toFixed(3)} ms`);
  }
}

const device = await createWebgpuDevice({ precision, profile });
console.log(device.description);
if (wanted('products')) await timeMatmul(device, 4096);
const hub = JSON.parse(readFileSync(new URL('small.json', import.meta.url), 'utf8'));
const model = await initializeModel(device, parseHubConfig(hub, 'small'), 1);
if (wanted('training')) await timeTraining(device, model);
if (wanted('prefill')) await timePrefill(device, model);
if (wanted('decoding')) {
  for (const context of [128, 4096]) await timeDecoding(device, model, context);
}
releaseModel(model);
if (wanted('mtp')) {
  const config = parseHubConfig({ ...hub, num_nextn_predict_layers: 1 }, 'small');
  await timeTraining(device, await initializeModel(device, config, 1));
}
await device.destroy();

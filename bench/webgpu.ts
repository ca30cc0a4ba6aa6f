/**
 * Rates of the webgpu device on the shape `small`: products, training and decoding.
 *
 *   node bench/webgpu.ts [f32|mixed] [sequences] [profile]
 *
 * Each figure is the best of several runs after warm-up: the first steps compile kernels, and a GPU that
 * was idle takes some hundred milliseconds to reach its clock.
 */
import { readFileSync } from 'node:fs';
import { createWebgpuDevice, type WebgpuDevice } from '../src/device/webgpu/device.ts';
import { Sequence } from '../src/engine/sequence.ts';
import { parseHubConfig } from '../src/model/hub-config.ts';
import { initializeModel } from '../src/model/initialize.ts';
import type { TrainableModel } from '../src/model/weights.ts';
import { Random } from '../src/random.ts';
import { readFloats, Scope } from '../src/tensor/scope.ts';
import { allocateGradients } from '../src/train/gradients.ts';
import { forwardBackward } from '../src/train/objective.ts';
import { AdamW } from '../src/train/optimizer.ts';
import { stepTotals, trainingBatch } from '../src/train/targets.ts';

const precision = process.argv.includes('f32') ? 'f32' : 'mixed';
const profile = process.argv.includes('profile');
const sequences = Number(process.argv.find((word) => /^\d+$/.test(word)) ?? 64);
const length = 1024;

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
    const run = async (times: number) => {
      const begin = performance.now();
      for (let i = 0; i < times; i++) {
        device.kernels.matmul({ a, b, out, transposeA, transposeB, accumulate: false });
      }
      await readFloats(device, out.slice(0, 1));
      return (performance.now() - begin) / 1e3 / times;
    };
    const warm = performance.now();
    while (performance.now() - warm < 300) await run(10);
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 7; i++) best = Math.min(best, await run(10));
    const layout = `${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'}`;
    console.log(`matmul ${size} ${layout}: ${((2 * size ** 3) / best / 1e12).toFixed(1)} TFLOP/s`);
    scope.close();
  }
}

async function timeTraining(device: WebgpuDevice, model: TrainableModel): Promise<void> {
  const gradients = allocateGradients(model);
  const optimizer = new AdamW(model, gradients, {});
  const random = new Random(1);
  const token = () => random.int(0, model.config.vocabSize - 1);
  const batch = trainingBatch(
    Array.from({ length: sequences }, () => Array.from({ length }, token)),
  );
  const totals = stepTotals([batch], 0);
  let best = Number.POSITIVE_INFINITY;
  for (let step = 0; step < 8; step++) {
    await device.takeTimes();
    const begin = performance.now();
    await forwardBackward(model, gradients, batch, { totals, mtpLossWeight: 0 });
    await optimizer.step(1e-4);
    best = Math.min(best, (performance.now() - begin) / 1e3);
  }
  const rate = batch.tokens.length / best;
  console.log(`training ${sequences}×${length}, ${precision}: ${rate.toFixed(0)} tokens/s`);
  await printTimes(device, 1);
  optimizer.release();
}

async function timeDecoding(
  device: WebgpuDevice,
  model: TrainableModel,
  context: number,
): Promise<void> {
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
await timeMatmul(device, 4096);
const hub = JSON.parse(readFileSync(new URL('small.json', import.meta.url), 'utf8'));
const model = await initializeModel(device, parseHubConfig(hub, 'small'), 1);
await timeTraining(device, model);
for (const context of [128, 4096]) await timeDecoding(device, model, context);
await device.destroy();

/**
 * The loss of a short training run, step by step, to compare devices by: the same initial weights and
 * the same batches of the committed tasks, in the shape and with the schedule of
 * `runs/tiny-1-one-head.json`. What comes out is JSONL that `bench/compare-losses.ts` draws.
 *
 *   node bench/loss-curve.ts --device wasm --steps 200 > wasm.jsonl
 *   node bench/loss-curve.ts --device webgpu --precision mixed --steps 200 > mixed.jsonl
 *
 * `--perturb 1e-7` first moves every weight by up to that much of itself. That is the size of a rounding
 * in f32, so two such runs differ by no more than devices may that add in another order.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openSources } from '../src/data/open-sources.ts';
import { SampleStream } from '../src/data/sample-stream.ts';
import { createDevice } from '../src/device/create-device.ts';
import { createWebgpuDevice } from '../src/device/webgpu/device.ts';
import type { TrainableModel } from '../src/model/weights.ts';
import { Random } from '../src/random.ts';
import { shippedModel } from '../src/shipped-model.ts';
import type { Device } from '../src/tensor/device.ts';
import { readFloats } from '../src/tensor/scope.ts';
import { readTrainingConfig } from '../src/train/config.ts';
import { Packer } from '../src/train/packing.ts';
import { loadText, prepareModel } from '../src/train/prepare.ts';
import { warmupStableDecay } from '../src/train/schedule.ts';
import { Trainer } from '../src/train/trainer.ts';

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'wasm' },
    precision: { type: 'string', default: 'f32' },
    threads: { type: 'string', default: '1' },
    steps: { type: 'string', default: '200' },
    perturb: { type: 'string', default: '0' },
  },
});
const precision = values.precision === 'mixed' ? 'mixed' : 'f32';
const perturbation = Number(values.perturb);

const run = fileURLToPath(new URL('../runs/tiny-1-one-head.json', import.meta.url));
const config = await readTrainingConfig(run);
// Any tokenizer will do, and this one need not be learnt first.
const loaded = await loadText(shippedModel);
const { text } = loaded;
const { seed, cache: cacheDirectory } = config;
const sources = await openSources(config.data, loaded, { seed, cacheDirectory, threads: 0 });
const packer = new Packer(new SampleStream(sources, seed), {
  budget: config.microBatchTokens,
  maxLength: config.maxLength,
});

const device = await openDevice();
const model = await prepareModel(device, config, text.tokenizer);
if (perturbation > 0) await perturb(model, perturbation);
const trainer = new Trainer(model, {
  ...config,
  schedule: warmupStableDecay({ ...config.learningRate, steps: config.steps }),
  adamw: { ...config.adamw, clipNorm: config.clipNorm },
});
const name = [device.name, ...(device.name === 'webgpu' ? [precision] : [])].join(' ');
const moved = perturbation > 0 ? `, weights moved by ${perturbation}` : '';
console.log(JSON.stringify({ run: name + moved, device: device.description }));
for (let step = 0; step < Number(values.steps); step++) {
  const { loss, gradientNorm, meanViolation } = await trainer.step([await packer.next()]);
  // Tells whether any token went to another expert than in another run.
  const loads = meanViolation.map((violation) => Number(violation.toPrecision(7)));
  console.log(JSON.stringify({ step: step + 1, loss, gradientNorm, loads }));
}
trainer.release();
await device.destroy();

function openDevice(): Promise<Device> {
  if (values.device === 'webgpu') return createWebgpuDevice({ precision });
  return createDevice(values.device, { threads: Number(values.threads) });
}

/** Multiplies each parameter's elements by numbers from 1 − most to 1 + most. */
async function perturb({ parameters }: TrainableModel, most: number): Promise<void> {
  for (const [parameter, tensor] of parameters) {
    const random = new Random(1, `perturb ${parameter}`);
    const data = await readFloats(device, tensor);
    const shifted = data.map((value) => value * (1 + most * (2 * random.uniform() - 1)));
    device.write(tensor.storage, tensor.byteOffset, shifted);
  }
}

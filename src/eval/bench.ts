/**
 * What the machine does and how close to it we come: matrix multiplication, memory, training and
 * decoding of a named shape. Speed is measured here, never in tests.
 */
import { readFile } from 'node:fs/promises';
import { createDevice } from '../device/create-device.ts';
import { Sequence } from '../engine/sequence.ts';
import { UserError } from '../errors.ts';
import { describeModel } from '../model/describe.ts';
import { parseHubConfig } from '../model/hub-config.ts';
import { initializeModel } from '../model/initialize.ts';
import { type Model, releaseModel } from '../model/weights.ts';
import { Random } from '../random.ts';
import type { Device } from '../tensor/device.ts';
import { readFloats, Scope } from '../tensor/scope.ts';
import { measureTraining } from './bench-training.ts';
import { bestSeconds } from './measure.ts';

export interface MatmulFigure {
  size: number;
  threads: number;
  gflops: number;
}

export interface TrainingFigure {
  tokensPerSecond: number;
  tokens: number;
  sequenceLength: number;
  /** Floating-point operations of the step's matrix products, attention included, a second. */
  gflops: number;
  /** Share of the measured rate of a 1024³ product with the same threads. */
  shareOfMatmul: number;
}

export interface DecodeFigure {
  context: number;
  tokensPerSecond: number;
  /** Bytes of weights and cache that a token needs, times tokens a second. */
  gigabytesPerSecond: number;
  /** Share of the read bandwidth measured in the same run. */
  shareOfBandwidth: number;
}

export interface BenchReport {
  device: string;
  matmul: MatmulFigure[];
  readBandwidth: number;
  shape: { name: string; parameters: number; activeParameters: number; mtpHeads: number };
  training: TrainingFigure | null;
  decode: DecodeFigure[];
}

export interface BenchOptions {
  device: string;
  threads: number;
  /** Path of a hub config. */
  shape: string;
  sizes: number[];
  contexts: number[];
  /** Tokens of a training step; 0 leaves training out. */
  trainingTokens: number;
  sequenceLength: number;
}

export async function bench(
  options: BenchOptions,
  progress: (what: string) => void,
): Promise<BenchReport> {
  const matmul: MatmulFigure[] = [];
  for (const threads of new Set([1, options.threads])) {
    const device = await createDevice(options.device, { threads });
    for (const size of options.sizes) {
      progress(`matmul ${size}³, ${threads} threads`);
      matmul.push({ size, threads, gflops: await measureMatmul(device, size) });
    }
    await device.destroy();
  }

  const config = parseHubConfig(await readShape(options.shape), options.shape);
  const summary = describeModel(config);
  const device = await createDevice(options.device, { threads: options.threads });
  try {
    progress('read bandwidth');
    const readBandwidth = await measureReadBandwidth(device);
    progress(`a model of ${options.shape}`);
    const model = await initializeModel(device, config, 1);
    const decode: DecodeFigure[] = [];
    for (const context of options.contexts) {
      progress(`decode at context ${context}`);
      decode.push(await measureDecode(model, context, readBandwidth));
    }
    progress('training');
    const peak = matmul.filter(({ size }) => size >= 1024 || size === Math.max(...options.sizes));
    const rate = peak.find(({ threads }) => threads === options.threads)?.gflops ?? Number.NaN;
    const training =
      options.trainingTokens > 0 ? await measureTraining(model, options, rate) : null;
    releaseModel(model);
    return {
      device: device.description,
      matmul,
      readBandwidth,
      shape: {
        name: options.shape,
        parameters: summary.parameters.trunk + summary.parameters.mtp,
        activeParameters: summary.parameters.active,
        mtpHeads: config.mtpHeads,
      },
      training,
      decode,
    };
  } finally {
    await device.destroy();
  }
}

async function readShape(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new UserError(
      `${path}: cannot be read as JSON (${(error as Error).message}); give a hub config`,
    );
  }
}

async function measureMatmul(device: Device, size: number): Promise<number> {
  const scope = new Scope(device);
  const random = new Random(size);
  const a = scope.from([size, size], random.normals(size * size, 1));
  const b = scope.from([size, size], random.normals(size * size, 1));
  const out = scope.empty([size, size]);
  const seconds = await bestSeconds(async () => {
    device.kernels.matmul({ a, b, out, transposeA: false, transposeB: true, accumulate: false });
    await readFloats(device, out.slice(0, 1));
  });
  scope.close();
  return (2 * size ** 3) / seconds / 1e9;
}

/** Bytes a second of reading 512 MB, larger than most caches, by the kernel that sums squares. */
async function measureReadBandwidth(device: Device): Promise<number> {
  const scope = new Scope(device);
  const parts = 64;
  const x = scope.zeros([parts, 2 ** 21]);
  const out = scope.empty([parts, 2]);
  const seconds = await bestSeconds(async () => {
    device.kernels.gradientStatistics({ x, out });
    await readFloats(device, out);
  });
  scope.close();
  return x.byteLength / seconds / 1e9;
}

/** Decodes one sequence without drafts after a context of random tokens. */
async function measureDecode(
  model: Model,
  context: number,
  readBandwidth: number,
): Promise<DecodeFigure> {
  const random = new Random(2);
  const { vocabSize } = model.config;
  const prompt = Array.from({ length: Math.max(context, 1) }, () => random.int(0, vocabSize - 1));
  const sequence = new Sequence(model);
  let count = 0;
  let begin = 0;
  let seconds = 0;
  const options = { maxTokens: 200, stopTokens: [], drafts: 0 };
  for await (const _ of sequence.generate(prompt, options)) {
    if (count++ === 0) begin = performance.now();
    else seconds = (performance.now() - begin) / 1e3;
    if (seconds > 5) break;
  }
  sequence.release();
  const tokensPerSecond = (count - 1) / seconds;
  const { parameters, cache } = describeModel(model.config);
  const bytes =
    4 * parameters.active +
    cache.globalBytesPerToken * context +
    (Math.min(context, cache.window) / cache.window) * cache.slidingBytes;
  const gigabytesPerSecond = (bytes * tokensPerSecond) / 1e9;
  return {
    context,
    tokensPerSecond,
    gigabytesPerSecond,
    shareOfBandwidth: gigabytesPerSecond / readBandwidth,
  };
}

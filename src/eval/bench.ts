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
import { releaseModel, type TrainableModel } from '../model/weights.ts';
import { Random } from '../random.ts';
import type { Device } from '../tensor/device.ts';
import { readFloats, Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { measureTraining } from './bench-training.ts';
import { bestSeconds } from './measure.ts';
import { type KernelTime, profiled } from './profile.ts';

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
  training: { shape: Shape; figures: TrainingFigure[] } | null;
  decode: { shape: Shape; figures: DecodeFigure[] } | null;
  /** Time by kernel, of the training and of the decoding above, if asked for. */
  profile: { training: KernelTime[]; decode: KernelTime[] } | null;
}

export interface Shape {
  /** Path of its hub config. */
  name: string;
  parameters: number;
  /** Parameters that a token passes in the trunk. */
  activeParameters: number;
  mtpHeads: number;
}

export interface BenchOptions {
  device: string;
  threads: number;
  /** Sides of square matrix products; 1024 is always among them. */
  sizes: number[];
  /** Path of the hub config to train; null for no training. */
  trainingShape: string | null;
  /** Tokens of a training step. */
  trainingTokens: number;
  /** Tokens of a training document. */
  sequenceLength: number;
  /** Path of the hub config to decode with; null for no decoding. */
  decodeShape: string | null;
  /** Tokens before the decoded ones. */
  contexts: number[];
  /** Whether to measure how long each kernel takes. */
  profile: boolean;
}

export async function bench(
  options: BenchOptions,
  progress: (what: string) => void,
): Promise<BenchReport> {
  const { threads } = options;
  const matmul: MatmulFigure[] = [];
  for (const count of new Set([1, threads])) {
    const device = await createDevice(options.device, { threads: count });
    for (const size of new Set([...options.sizes, 1024])) {
      progress(`matmul ${size}³, ${count} threads`);
      matmul.push({ size, threads: count, gflops: await measureMatmul(device, size) });
    }
    await device.destroy();
  }
  const rate = matmul.find((figure) => figure.size === 1024 && figure.threads === threads)!.gflops;

  const plain = await createDevice(options.device, { threads });
  const { device, take } = options.profile ? profiled(plain) : { device: plain, take: () => [] };
  try {
    progress('read bandwidth');
    const readBandwidth = await measureReadBandwidth(device);
    progress('training');
    take();
    const training = await onShape(device, options.trainingShape, async (model) => [
      await measureTraining(model, options, rate),
    ]);
    const trainingProfile = take();
    const decode = await onShape(device, options.decodeShape, async (model) => {
      const figures: DecodeFigure[] = [];
      for (const context of options.contexts) {
        progress(`decode at context ${context}`);
        figures.push(await measureDecode(model, context, readBandwidth));
      }
      return figures;
    });
    const profile = options.profile ? { training: trainingProfile, decode: take() } : null;
    return { device: device.description, matmul, readBandwidth, training, decode, profile };
  } finally {
    await device.destroy();
  }
}

async function onShape<Figure>(
  device: Device,
  path: string | null,
  measure: (model: TrainableModel) => Promise<Figure[]>,
): Promise<{ shape: Shape; figures: Figure[] } | null> {
  if (path === null) return null;
  const config = parseHubConfig(await readShape(path), path);
  const { parameters } = describeModel(config);
  const model = await initializeModel(device, config, 1);
  try {
    const shape = {
      name: path,
      parameters: parameters.trunk + parameters.mtp,
      activeParameters: parameters.active,
      mtpHeads: config.mtpHeads,
    };
    return { shape, figures: await measure(model) };
  } finally {
    releaseModel(model);
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

/**
 * Gigabytes a second of reading 512 MB, larger than most caches: the faster of the two kernels that
 * read more than they compute, summing squares and multiplying one row.
 */
async function measureReadBandwidth(device: Device): Promise<number> {
  const { kernels } = device;
  const scope = new Scope(device);
  const x = scope.zeros([2 ** 14, 2 ** 13]);
  const statistics = scope.empty([64, 2]);
  const row = scope.zeros([1, 2 ** 13]);
  const product = scope.empty([1, 2 ** 14]);
  const read = (run: () => void, out: Tensor) =>
    bestSeconds(async () => {
      run();
      await readFloats(device, out);
    });
  const summing = await read(() => kernels.gradientStatistics({ x, out: statistics }), statistics);
  const options = { transposeA: false, transposeB: true, accumulate: false };
  const multiplying = await read(
    () => kernels.matmul({ a: row, b: x, out: product, ...options }),
    product,
  );
  scope.close();
  return x.byteLength / Math.min(summing, multiplying) / 1e9;
}

/** Decodes one sequence without drafts after a context of random tokens. */
async function measureDecode(
  model: TrainableModel,
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

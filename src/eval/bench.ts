/**
 * What the machine does and how close to it we come: matrix multiplication, memory, training, prefill
 * and decoding of a named shape. Speed is measured here, never in tests.
 */
import { readFile } from 'node:fs/promises';
import { createDevice } from '../device/create-device.ts';
import { UserError } from '../errors.ts';
import type { ModelConfig } from '../model/config.ts';
import { describeModel } from '../model/describe.ts';
import { parseHubConfig } from '../model/hub-config.ts';
import { initializeModel } from '../model/initialize.ts';
import { releaseModel, type TrainableModel } from '../model/weights.ts';
import type { CacheType } from '../tensor/cache-type.ts';
import type { Device, Precision } from '../tensor/device.ts';
import {
  type BatchSizes,
  type DecodeFigure,
  measureDecode,
  measurePrefill,
  type PrefillFigure,
} from './bench-inference.ts';
import { measureTraining, type TrainingFigure } from './bench-training.ts';
import { KernelProfile } from './profile.ts';
import {
  type Bandwidth,
  measureBandwidth,
  measureProducts,
  type ProductFigure,
  rooflineOf,
  warmUp,
} from './roofline.ts';

export interface BenchReport {
  device: string;
  precision: Precision;
  products: ProductFigure[];
  /** The same on one thread, of a device that computes on threads. */
  singleThreadProducts: ProductFigure[];
  bandwidth: Bandwidth;
  training: { shape: Shape; figures: TrainingFigure[] } | null;
  inference: { shape: Shape; prefill: PrefillFigure[]; decode: DecodeFigure[] } | null;
}

export interface Shape {
  /** Path of its hub config. */
  name: string;
  parameters: number;
  /** Parameters that a token passes in the trunk. */
  activeParameters: number;
}

export interface BenchOptions {
  device: string;
  precision: Precision | 'auto';
  threads: number;
  /** Sides of square matrix products. */
  sizes: number[];
  /** Path of the hub config to train; null for no training. */
  trainingShape: string | null;
  /** Tokens of a training step. */
  trainingTokens: number;
  /** Tokens of a training document. */
  sequenceLength: number;
  /** Numbers of MTP heads to train with; null for as many as the config has. */
  mtpHeads: number[] | null;
  /** Path of the hub config to decode with; null for no prefill and no decoding. */
  decodeShape: string | null;
  /** Prompts that are prefilled together; null for no such figure. */
  prefill: BatchSizes | null;
  /** Sequences that are decoded together, and the tokens before the decoded ones. */
  contexts: BatchSizes[];
  /** What the caches of keys and values hold; see `cacheTypeOf`. */
  cacheType?: CacheType | undefined;
  /** Whether to measure how long each kernel takes. */
  profile: boolean;
}

type Progress = (what: string) => void;

export async function bench(options: BenchOptions, progress: Progress): Promise<BenchReport> {
  const plain = await openDevice(options, options.threads);
  try {
    progress('warming up');
    await warmUp(plain);
    const products = await productsOf(plain, options, progress);
    progress('memory bandwidth');
    const bandwidth = await measureBandwidth(plain);
    const roofline = rooflineOf(products, bandwidth);
    const profile = options.profile ? new KernelProfile(plain, roofline) : null;
    const device = profile?.device ?? plain;

    const training = await onShape(options.trainingShape, async (config) => {
      const figures: TrainingFigure[] = [];
      for (const mtpHeads of options.mtpHeads ?? [config.mtpHeads]) {
        progress(`training with ${mtpHeads} MTP heads`);
        const figure = await onModel(device, { ...config, mtpHeads }, (model) =>
          measureTraining(model, options, roofline, profile),
        );
        figures.push(figure);
      }
      return { figures };
    });
    const inference = await onShape(options.decodeShape, (config) =>
      onModel(device, config, async (model) => {
        const how = { profile, cacheType: options.cacheType };
        const prefill: PrefillFigure[] = [];
        const decode: DecodeFigure[] = [];
        if (options.prefill) {
          progress('prefill');
          prefill.push(await measurePrefill(model, options.prefill, roofline, how));
        }
        for (const context of options.contexts) {
          progress(`decode ${context.sequences} at context ${context.length}`);
          decode.push(await measureDecode(model, context, bandwidth, how));
        }
        return { prefill, decode };
      }),
    );
    return {
      device: plain.description,
      precision: plain.precision,
      products,
      singleThreadProducts: await singleThreadProducts(options, plain, progress),
      bandwidth,
      training,
      inference,
    };
  } finally {
    await plain.destroy();
  }
}

function openDevice(
  { device, precision, profile }: BenchOptions,
  threads: number,
): Promise<Device> {
  return createDevice(device, { threads, precision, profile });
}

async function productsOf(
  device: Device,
  { sizes }: BenchOptions,
  progress: Progress,
): Promise<ProductFigure[]> {
  const products: ProductFigure[] = [];
  for (const size of sizes) {
    for (const each of new Set<Precision>(['f32', device.precision])) {
      progress(`matmul ${size}³, ${each}`);
      products.push(...(await measureProducts(device, size, each)));
    }
  }
  return products;
}

async function singleThreadProducts(
  options: BenchOptions,
  { name }: Device,
  progress: Progress,
): Promise<ProductFigure[]> {
  if (name !== 'wasm' || options.threads === 1) return [];
  const device = await openDevice(options, 1);
  try {
    return await productsOf(device, options, (what) => progress(`${what}, one thread`));
  } finally {
    await device.destroy();
  }
}

/** What `measure` makes of the shape in a file, with the shape; null without a file. */
async function onShape<Figures extends object>(
  path: string | null,
  measure: (config: ModelConfig) => Promise<Figures>,
): Promise<({ shape: Shape } & Figures) | null> {
  if (path === null) return null;
  const config = parseHubConfig(await readShape(path), path);
  const { parameters } = describeModel(config);
  const shape = {
    name: path,
    parameters: parameters.trunk + parameters.mtp,
    activeParameters: parameters.active,
  };
  return { shape, ...(await measure(config)) };
}

async function onModel<Figures>(
  device: Device,
  config: ModelConfig,
  measure: (model: TrainableModel) => Promise<Figures>,
): Promise<Figures> {
  const model = await initializeModel(device, config, 1);
  try {
    return await measure(model);
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

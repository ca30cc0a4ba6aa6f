import { Command, InvalidArgumentError, Option } from 'commander';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { findCheckpoint } from '../checkpoint/checkpoint-directory.ts';
import { openCheckpoint } from '../checkpoint/load.ts';
import { loadInferenceModel, loadModel } from '../checkpoint/load-model.ts';
import { type ParameterData, type Quantizer, saveCheckpoint } from '../checkpoint/save.ts';
import { allowedCacheTypes } from '../engine/cache-type.ts';
import { UserError } from '../errors.ts';
import { type Divergence, divergenceOf } from '../eval/divergence.ts';
import { solvedDocuments } from '../eval/solved-documents.ts';
import { passedAtOnce, passedInSteps, type TextLogits } from '../eval/text-logits.ts';
import type { ModelConfig } from '../model/config.ts';
import { parameterSpecs } from '../model/parameters.ts';
import { quantizes, releaseModel } from '../model/weights.ts';
import { calibratedQuantizer } from '../quantize/calibrate.ts';
import { shippedFamilies } from '../shipped-model.ts';
import { familyNames } from '../tasks/index.ts';
import {
  distanceFromSteps,
  quantize as quantizeRows,
  ROUNDINGS,
  type Rounding,
} from '../tensor/quantize.ts';
import type { QuantizedBits } from '../tensor/quantized-matrix.ts';
import { loadTextFiles } from '../text/tokenizer-files.ts';
import { companionFiles } from './companion-files.ts';
import { parametersOf } from './convert.ts';
import { type DeviceOptions, positiveInteger, useDevice, withDevice } from './options.ts';
import { statusLine } from './status-line.ts';

interface QuantizeOptions extends DeviceOptions {
  bits: QuantizedBits;
  rounding: Rounding;
  calibrate?: number;
  check?: boolean;
  documents: number;
  families: string[];
}

export function quantizeCommand(): Command {
  const command = new Command('quantize')
    .description('write a checkpoint with weights of 8 or 4 bits, for inference')
    .argument('<checkpoint>', 'directory in the hub’s layout')
    .argument('<directory>', 'where to write')
    .option('--bits <count>', 'bits of a weight: 8 or 4', eightOrFour, 8)
    .addOption(
      new Option(
        '--rounding <how>',
        'stochastic keeps what training changed in a model that began with weights of as few bits',
      )
        .choices(ROUNDINGS)
        .default('nearest'),
    )
    .option(
      '--calibrate <count>',
      'round so that products change least on so many training problems of task families (GPTQ)',
      positiveInteger,
    )
    .option('--check', 'compare it with the original on held-out text of task families')
    .addOption(
      new Option('--families <name...>', 'families to calibrate and compare on')
        .choices(familyNames)
        .default(shippedFamilies, 'those that the model that ships was trained on'),
    )
    .option('--documents <count>', 'documents to compare on', positiveInteger, 200);
  return withDevice(command).action(quantize);
}

async function quantize(from: string, to: string, options: QuantizeOptions): Promise<void> {
  const { bits, rounding } = options;
  const checkpoint = await openCheckpoint(from);
  try {
    if (checkpoint.bits !== null) {
      throw new UserError(
        `${from}: is quantised already, to ${checkpoint.bits} bits; quantise the original`,
      );
    }
    const specs = parameterSpecs(checkpoint.config);
    if (!specs.some((spec) => quantizes(spec, specs))) {
      throw new UserError(
        `${from}: has no matrix that can be quantised; that takes columns in multiples of 128`,
      );
    }
    const quantizer: Quantizer = options.calibrate
      ? await calibrate(from, checkpoint.config, options.calibrate, options)
      : (values) => quantizeRows(values, bits, rounding);
    const distances: number[] = [];
    await saveCheckpoint(to, checkpoint.config, measured(checkpoint, bits, distances), {
      dtype: 'f32',
      bits,
      quantizer,
      files: await companionFiles(await findCheckpoint(from)),
    });
    const distance = distances.reduce((sum, each) => sum + each, 0) / distances.length;
    if (rounding === 'nearest' && distance < NEAR_STEPS) {
      console.error(
        `${from}: its weights lie near those of a model of ${bits} bits, which rounding to the nearest ` +
          'may give back in place of what was trained since; --rounding stochastic does not',
      );
    }
  } finally {
    await checkpoint.close();
  }
  console.log(`wrote ${to} in ${bits} bits`);
  if (options.check) await check(from, to, options);
}

async function calibrate(
  from: string,
  config: ModelConfig,
  count: number,
  options: QuantizeOptions,
): Promise<Quantizer> {
  const { bits, rounding, families } = options;
  const { tokenizer } = await loadTextFiles(await findCheckpoint(from));
  tokenizer.assertFits(config);
  const texts = solvedDocuments(tokenizer, 'train', { families, count }).map(
    ({ tokens }) => tokens,
  );
  return useDevice(options, async (device) => {
    const progress = (done: number) => statusLine.show(`calibrating: ${done} of ${count} problems`);
    const quantizer = await calibratedQuantizer(device, from, texts, { bits, rounding, progress });
    statusLine.clear();
    return quantizer;
  });
}

/** Below it, many weights have not left the steps that they were once rounded to: others have 0.9 or more. */
const NEAR_STEPS = 0.8;

/** Numbers of a matrix that are measured. */
const MEASURED = 2 ** 16;

/** A checkpoint's parameters, and how far those that are quantised are from steps. */
async function* measured(
  checkpoint: Checkpoint,
  bits: QuantizedBits,
  distances: number[],
): AsyncGenerator<ParameterData> {
  const specs = parameterSpecs(checkpoint.config);
  for await (const parameter of parametersOf(checkpoint)) {
    if (quantizes(parameter.spec, specs)) {
      distances.push(distanceFromSteps(parameter.data.subarray(0, MEASURED), bits));
    }
    yield parameter;
  }
}

/**
 * Says what the weights cost, against those in f32, and then what caches do that are not in f32, with the
 * original weights. The tokenizer of the original encodes the text.
 */
async function check(from: string, to: string, options: QuantizeOptions): Promise<void> {
  const { tokenizer } = await loadTextFiles(await findCheckpoint(from));
  const { families, documents: count } = options;
  const documents = solvedDocuments(tokenizer, 'test', { families, count });
  await useDevice(options, async (device) => {
    const original = await loadModel(device, from);
    tokenizer.assertFits(original.config);
    const compare = async (what: string, exact: TextLogits, rounded: TextLogits) => {
      const divergence = await divergenceOf(exact, rounded, documents, (done) =>
        statusLine.show(`${what}: ${done} of ${documents.length} documents`),
      );
      statusLine.clear();
      print(what, divergence);
    };
    const quantized = await loadInferenceModel(device, to, console.error);
    const weights = `weights of ${options.bits} bits`;
    await compare(weights, passedAtOnce(original), passedAtOnce(quantized));
    releaseModel(quantized);
    for (const type of allowedCacheTypes(original).filter((type) => type !== 'f32')) {
      const exact = passedInSteps(original, 'f32');
      await compare(`caches of ${type}`, exact, passedInSteps(original, type));
    }
    releaseModel(original);
  });
}

function print(what: string, { tokens, nats, agreement, perplexity }: Divergence): void {
  const { exact, rounded } = perplexity;
  const change = 100 * (rounded / exact - 1);
  console.log(
    `${what}, on ${tokens} tokens of held-out text: KL to f32 ${nats.toExponential(1)} nats, ` +
      `same first choice ${(100 * agreement).toFixed(2)} %, ` +
      `perplexity ${exact.toFixed(4)} in f32 and ${rounded.toFixed(4)} rounded ` +
      `(${change >= 0 ? '+' : ''}${change.toFixed(2)} %)`,
  );
}

function eightOrFour(text: string): QuantizedBits {
  if (text === '8') return 8;
  if (text === '4') return 4;
  throw new InvalidArgumentError('give 8 or 4');
}

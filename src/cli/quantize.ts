import { Command, InvalidArgumentError } from 'commander';
import { findCheckpoint } from '../checkpoint/checkpoint-directory.ts';
import { openCheckpoint } from '../checkpoint/load.ts';
import { loadInferenceModel, loadModel } from '../checkpoint/load-model.ts';
import { saveCheckpoint } from '../checkpoint/save.ts';
import { UserError } from '../errors.ts';
import {
  compareQuantized,
  heldOutDocuments,
  type QuantizationQuality,
} from '../eval/quantization.ts';
import { parameterSpecs } from '../model/parameters.ts';
import { quantizes, releaseModel } from '../model/weights.ts';
import type { QuantizedBits } from '../tensor/quantized-matrix.ts';
import { loadTextFiles } from '../text/tokenizer-files.ts';
import { companionFiles } from './companion-files.ts';
import { parametersOf } from './convert.ts';
import { type DeviceOptions, positiveInteger, useDevice, withDevice } from './options.ts';
import { statusLine } from './status-line.ts';

interface QuantizeOptions extends DeviceOptions {
  bits: QuantizedBits;
  check?: boolean;
  documents: number;
}

export function quantizeCommand(): Command {
  const command = new Command('quantize')
    .description('write a checkpoint with weights of 8 or 4 bits, for inference')
    .argument('<checkpoint>', 'directory in the hub’s layout')
    .argument('<directory>', 'where to write')
    .option('--bits <count>', 'bits of a weight: 8 or 4', eightOrFour, 8)
    .option('--check', 'compare it with the original on held-out text of the task families')
    .option('--documents <count>', 'documents to compare on', positiveInteger, 200);
  return withDevice(command).action(quantize);
}

async function quantize(from: string, to: string, options: QuantizeOptions): Promise<void> {
  const { bits } = options;
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
    await saveCheckpoint(to, checkpoint.config, parametersOf(checkpoint), {
      dtype: 'f32',
      bits,
      files: await companionFiles(await findCheckpoint(from)),
    });
  } finally {
    await checkpoint.close();
  }
  console.log(`wrote ${to} in ${bits} bits`);
  if (options.check) print(await check(from, to, options));
}

/** The tokenizer of the original encodes the text. */
async function check(
  from: string,
  to: string,
  options: QuantizeOptions,
): Promise<QuantizationQuality> {
  const { tokenizer } = await loadTextFiles(await findCheckpoint(from));
  const documents = heldOutDocuments(tokenizer, options.documents, 1);
  return useDevice(options, async (device) => {
    const original = await loadModel(device, from);
    const quantized = await loadInferenceModel(device, to, console.error);
    tokenizer.assertFits(original.config);
    const quality = await compareQuantized(original, quantized, documents, (done) =>
      statusLine.show(`${done} of ${documents.length} documents`),
    );
    statusLine.clear();
    releaseModel(original);
    releaseModel(quantized);
    return quality;
  });
}

function print({ tokens, divergence, agreement, perplexity }: QuantizationQuality): void {
  const { f32, quantized } = perplexity;
  const change = 100 * (quantized / f32 - 1);
  console.log(
    `on ${tokens} tokens of held-out text: KL to f32 ${divergence.toFixed(5)} nats, ` +
      `same first choice ${(100 * agreement).toFixed(2)} %, ` +
      `perplexity ${f32.toFixed(4)} in f32 and ${quantized.toFixed(4)} quantised ` +
      `(${change >= 0 ? '+' : ''}${change.toFixed(2)} %)`,
  );
}

function eightOrFour(text: string): QuantizedBits {
  if (text === '8') return 8;
  if (text === '4') return 4;
  throw new InvalidArgumentError('give 8 or 4');
}

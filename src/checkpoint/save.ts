/**
 * Saves a model as a directory in the hub's layout: config, weights, and files that belong with
 * them, such as the tokenizer. All of it replaces the last save in one step.
 */
import { basename, join } from 'node:path';
import { UserError } from '../errors.ts';
import type { ModelConfig } from '../model/config.ts';
import { toHubConfig, toQuantizationConfig } from '../model/hub-config.ts';
import { hubNames, type ParameterSpec } from '../model/parameters.ts';
import { quantize } from '../tensor/quantize.ts';
import type { QuantizedBits, QuantizedRows } from '../tensor/quantized-matrix.ts';
import { atomicWriteFile } from './atomic.ts';
import { replaceDirectory } from './checkpoint-directory.ts';
import { decodeFloats, encodeFloats, findNonFinite, type SavedFormat } from './number-formats.ts';
import { quantizedScaleName } from './quantized-tensors.ts';
import { SafetensorsWriter } from './safetensors-writer.ts';
import { CONFIG_FILE, INDEX_FILE, planShards, type SavedTensor, type ShardPlan } from './shards.ts';

export interface SaveOptions {
  /** Of all weights but the router's, which stay float32. */
  dtype: 'f32' | 'f16' | 'bf16';
  /** Matrices are quantised to so many bits; the others have the dtype. */
  bits?: QuantizedBits;
  /** How matrices are quantised; by default to the nearest step. */
  quantizer?: Quantizer;
  /** Models with more bytes of weights are split into several files; default 5 GB. */
  maxShardBytes?: number;
  /** Puts MTP blocks into `model_mtp.safetensors`, as in the released model. */
  mtpInOwnFile?: boolean;
  /** Further files of the directory by plain name: contents, or what writes to the path given. */
  files?: Record<string, FileContents>;
}

/** Quantises a matrix of a parameter: the whole of it, or that of one expert. */
export type Quantizer = (
  values: Float32Array,
  spec: ParameterSpec,
  expert: number,
) => QuantizedRows;

export type FileContents = string | Uint8Array | ((path: string) => Promise<void>);

export interface ParameterData {
  spec: ParameterSpec;
  /** The parameter's numbers in the shape of `spec`. */
  data: Float32Array;
}

/**
 * Saves a model. Parameters are taken one at a time and may come in any order; every one that
 * `parameterSpecs(config)` lists must come once. Files of the old directory that are not weights
 * and not written anew are kept.
 *
 * @throws UserError when the disk refuses, a weight is NaN, infinite or too large for `dtype`, or
 *   `directory` holds something else than a checkpoint; the previous checkpoint is then intact
 */
export async function saveCheckpoint(
  directory: string,
  config: ModelConfig,
  parameters: Iterable<ParameterData> | AsyncIterable<ParameterData>,
  options: SaveOptions,
): Promise<void> {
  const { dtype, bits = null, maxShardBytes = 5e9, mtpInOwnFile = false, files = {} } = options;
  const quantizer: Quantizer = options.quantizer ?? ((values) => quantize(values, bits!));
  const { format, torch } = formats[dtype];
  const plan = planShards(config, { dtype: format, bits, maxShardBytes, mtpInOwnFile });
  const json = {
    ...toHubConfig(config),
    torch_dtype: torch,
    ...(bits !== null && { quantization_config: toQuantizationConfig(bits) }),
  };
  for (const name of Object.keys(files)) {
    if (basename(name) === name && name !== CONFIG_FILE && !plan.files.has(name)) continue;
    throw new Error(`${name} cannot be one of the further files of a checkpoint`);
  }
  await replaceDirectory(directory, write, isOfOldModel);

  async function write(temporary: string): Promise<void> {
    await writeWeights(temporary, plan, quantizer, parameters);
    for (const [name, contents] of Object.entries(files)) {
      if (typeof contents === 'function') await contents(join(temporary, name));
      else await atomicWriteFile(join(temporary, name), contents);
    }
    if (plan.index) await atomicWriteFile(join(temporary, INDEX_FILE), jsonText(plan.index));
    await atomicWriteFile(join(temporary, CONFIG_FILE), jsonText(json));
  }
}

const formats = {
  f32: { format: 'F32', torch: 'float32' },
  f16: { format: 'F16', torch: 'float16' },
  bf16: { format: 'BF16', torch: 'bfloat16' },
} as const;

/** What would be wrong next to other weights, and leftovers of interrupted writes. */
function isOfOldModel(name: string): boolean {
  return /(\.safetensors|\.safetensors\.index\.json|\.tmp)$/.test(name);
}

async function writeWeights(
  folder: string,
  plan: ShardPlan,
  quantizer: Quantizer,
  parameters: Iterable<ParameterData> | AsyncIterable<ParameterData>,
): Promise<void> {
  const formatOf = new Map<string, { file: string; dtype: SavedTensor['dtype'] }>();
  for (const [file, tensors] of plan.files) {
    for (const { name, dtype } of tensors) formatOf.set(name, { file, dtype });
  }
  // A file is open from its first tensor to its last.
  const open = new Map<string, SafetensorsWriter>();
  const pending = new Set(plan.files.keys());
  try {
    for await (const { spec, data } of parameters) {
      const names = hubNames(spec);
      const size = data.length / names.length;
      for (const [index, name] of names.entries()) {
        const values = data.subarray(index * size, (index + 1) * size);
        const dtype = formatOf.get(name)?.dtype;
        if (dtype === undefined)
          throw new Error(`${name} is not a parameter of the model being saved`);
        if (dtype === 'U8') {
          checkFinite(name, values);
          const { numbers, scales } = quantizer(values, spec, index);
          await write(name, numbers);
          await write(quantizedScaleName(name), new Uint8Array(scales.buffer));
        } else {
          await write(name, encodeFinite(name, values, dtype));
        }
      }
    }
    if (pending.size > 0) throw new Error(`parameters are missing from ${[...pending].join(', ')}`);
  } catch (error) {
    for (const writer of open.values()) await writer.discard();
    throw error;
  }

  async function write(name: string, bytes: Uint8Array): Promise<void> {
    const { file } = formatOf.get(name)!;
    const writer = open.get(file) ?? (await openFile(file));
    await writer.write(name, bytes);
    if (writer.complete) await finishFile(file, writer);
  }

  async function openFile(file: string): Promise<SafetensorsWriter> {
    if (!pending.has(file)) throw new Error(`a parameter of ${file} was given twice`);
    // Other readers ask for this entry before they trust the tensors' layout.
    const metadata = { format: 'pt' };
    const writer = await SafetensorsWriter.create(
      join(folder, file),
      plan.files.get(file)!,
      metadata,
    );
    open.set(file, writer);
    return writer;
  }

  async function finishFile(file: string, writer: SafetensorsWriter): Promise<void> {
    await writer.finish();
    open.delete(file);
    pending.delete(file);
  }
}

function checkFinite(name: string, values: Float32Array): void {
  const bad = findNonFinite(values);
  if (bad >= 0) {
    throw new UserError(
      `${name} holds ${values[bad]} at element ${bad}; training diverged, so go back to the last ` +
        'checkpoint with a lower learning rate',
    );
  }
}

function encodeFinite(name: string, values: Float32Array, dtype: SavedFormat): Uint8Array {
  checkFinite(name, values);
  const bytes = encodeFloats(dtype, values);
  if (dtype === 'F32') return bytes;
  const decoded = new Float32Array(values.length);
  decodeFloats(dtype, bytes, decoded);
  const large = findNonFinite(decoded);
  if (large < 0) return bytes;
  throw new UserError(
    `${name} holds ${values[large]} at element ${large}, too large for ${dtype}; save as f32`,
  );
}

function jsonText(json: unknown): string {
  return `${JSON.stringify(json, null, 2)}\n`;
}

/**
 * Which file of a saved checkpoint holds which tensor, in the hub's naming: `model.safetensors`, or
 * `model-00001-of-00003.safetensors` … and an index once that would be too large.
 */
import type { ModelConfig } from '../model/config.ts';
import { quantizes } from '../model/parameter-memory.ts';
import { hubNames, type ParameterSpec, parameterSpecs } from '../model/parameters.ts';
import type { QuantizedBits } from '../tensor/quantized-matrix.ts';
import { tensorShape } from './checkpoint.ts';
import type { SavedFormat } from './number-formats.ts';
import { quantizedTensors } from './quantized-tensors.ts';
import { dtypeBytes, elementCount, type TensorLayout } from './safetensors-header.ts';

export const WEIGHTS_FILE = 'model.safetensors';
export const INDEX_FILE = 'model.safetensors.index.json';
export const MTP_FILE = 'model_mtp.safetensors';

export interface SavedTensor extends TensorLayout {
  dtype: SavedFormat | 'U8';
}

export interface ShardPlan {
  /** File name to its tensors, in the order of the forward pass. */
  files: Map<string, SavedTensor[]>;
  /** Contents of `model.safetensors.index.json`; `null` for a single file. */
  index: { metadata: { total_size: number }; weight_map: Record<string, string> } | null;
}

export interface ShardOptions {
  dtype: SavedFormat;
  /** Of matrices, as far as `quantizes` says; none are quantised if null. */
  bits: QuantizedBits | null;
  /** A tensor larger than this gets a file of its own. */
  maxShardBytes: number;
  /** MTP blocks go to `model_mtp.safetensors`, as in the released model, and not into the index. */
  mtpInOwnFile: boolean;
}

export function planShards(config: ModelConfig, options: ShardOptions): ShardPlan {
  const specs = parameterSpecs(config);
  const isApart = (spec: ParameterSpec) => options.mtpInOwnFile && spec.mtpHead !== undefined;
  const tensorsOf = (spec: ParameterSpec) =>
    options.bits !== null && quantizes(spec, specs)
      ? savedQuantizedTensors(spec, options.bits)
      : savedTensors(spec, options.dtype);
  const main = specs.filter((spec) => !isApart(spec)).flatMap(tensorsOf);
  const mtp = specs.filter(isApart).flatMap(tensorsOf);

  const shards = fill(main, options.maxShardBytes);
  const files = new Map(shards.map((shard, i) => [shardName(i, shards.length), shard]));
  const index = shards.length > 1 ? indexOf(files) : null;
  if (mtp.length > 0) files.set(MTP_FILE, mtp);
  return { files, index };
}

/** The tensors that a parameter is saved as. The router decides in float32, so it stays so. */
function savedTensors(spec: ParameterSpec, dtype: SavedFormat): SavedTensor[] {
  const exact = /\.mlp\.gate\.(weight|e_score_correction_bias)$/.test(spec.name);
  const shape = tensorShape(spec);
  return hubNames(spec).map((name) => ({ name, dtype: exact ? 'F32' : dtype, shape }));
}

function savedQuantizedTensors(spec: ParameterSpec, bits: QuantizedBits): SavedTensor[] {
  const shape = tensorShape(spec) as [number, number];
  return hubNames(spec).flatMap((name) => quantizedTensors(name, shape, bits));
}

function fill(tensors: SavedTensor[], maxShardBytes: number): SavedTensor[][] {
  const shards: SavedTensor[][] = [];
  let used = Number.POSITIVE_INFINITY;
  for (const tensor of tensors) {
    const size = tensorBytes(tensor);
    if (used + size > maxShardBytes) {
      shards.push([]);
      used = 0;
    }
    shards.at(-1)!.push(tensor);
    used += size;
  }
  return shards;
}

function indexOf(files: Map<string, SavedTensor[]>) {
  const entries = [...files].flatMap(([file, tensors]) =>
    tensors.map((tensor) => ({ file, tensor })),
  );
  return {
    metadata: { total_size: entries.reduce((sum, { tensor }) => sum + tensorBytes(tensor), 0) },
    weight_map: Object.fromEntries(entries.map(({ file, tensor }) => [tensor.name, file])),
  };
}

function tensorBytes({ dtype, shape }: TensorLayout): number {
  return elementCount(shape) * dtypeBytes[dtype];
}

function shardName(index: number, count: number): string {
  if (count === 1) return WEIGHTS_FILE;
  const digits = (number: number) => String(number).padStart(5, '0');
  return `model-${digits(index + 1)}-of-${digits(count)}.safetensors`;
}

/**
 * A model's weights in the hub's files, as parameters of ours. A checkpoint that opens is complete:
 * every parameter of its config is there in the right shape, and nothing that the config has no
 * place for. Numbers are read when asked for, one parameter at a time.
 */
import { UserError } from '../errors.ts';
import { type AttentionConfig, attentionOf, type ModelConfig } from '../model/config.ts';
import { quantizes } from '../model/parameter-memory.ts';
import { hubNames, isStacked, type ParameterSpec, parameterSpecs } from '../model/parameters.ts';
import { dequantize } from '../tensor/quantize.ts';
import type { QuantizedBits, QuantizedRows } from '../tensor/quantized-matrix.ts';
import {
  BLOCK,
  type BlockScales,
  dequantizeBlocks,
  fusedKeyScaleRow,
  fusedLayout,
  fusedValueScaleRow,
  type ScaleRow,
  uniformScaleRow,
} from './fp8-blocks.ts';
import { findNonFinite } from './number-formats.ts';
import { quantizedScaleName, quantizedTensors } from './quantized-tensors.ts';
import type { SafetensorsFile } from './safetensors.ts';
import { elementCount, type TensorInfo } from './safetensors-header.ts';

export class Checkpoint {
  /** With `mtpHeads` counted in the files when the config does not give it. */
  readonly config: ModelConfig;
  /** Where the checkpoint is, for messages. */
  readonly name: string;
  /** Of quantised weights; null if there are none. */
  readonly bits: QuantizedBits | null;
  readonly #files: SafetensorsFile[];
  readonly #fileOf = new Map<string, SafetensorsFile>();
  #allSpecs: ParameterSpec[] | null = null;

  /**
   * @param name of the directory or file, for messages
   * @param files closed with the checkpoint
   * @param bits of its quantised weights, if they are
   * @throws UserError when tensors and config do not agree
   */
  constructor(
    name: string,
    config: ModelConfig,
    files: SafetensorsFile[],
    bits: QuantizedBits | null = null,
  ) {
    this.name = name;
    this.bits = bits;
    this.#files = files;
    for (const file of files) {
      for (const tensor of file.tensors.keys()) this.#add(tensor, file);
    }
    this.config = { ...config, mtpHeads: this.#countMtpHeads(config.mtpHeads) };
    this.#checkParameters();
  }

  has(name: string): boolean {
    return this.#fileOf.has(name);
  }

  /** A stored tensor, by its hub name. */
  info(name: string): TensorInfo {
    return this.#file(name).info(name);
  }

  /**
   * A stored tensor's numbers as float32; FP8 weights with their scales applied.
   *
   * @throws UserError when it is missing, damaged, or holds NaN or infinity
   */
  async read(name: string): Promise<Float32Array> {
    const values = new Float32Array(elementCount(this.info(name).shape));
    await this.#readInto(name, values);
    return values;
  }

  /**
   * A parameter's numbers in its shape; a layer's experts are stacked.
   *
   * @throws UserError when a tensor of it is missing, misshapen, damaged, or holds NaN or infinity
   */
  async readParameter(spec: ParameterSpec): Promise<Float32Array> {
    const values = new Float32Array(elementCount(spec.shape));
    const names = hubNames(spec);
    const size = values.length / names.length;
    const bits = this.#bitsOf(spec);
    for (const [index, name] of names.entries()) {
      const part = values.subarray(index * size, (index + 1) * size);
      if (bits === null) {
        this.#checkShape(name, tensorShape(spec));
        await this.#readInto(name, part);
      } else {
        part.set(dequantize(await this.#readRows(name, tensorShape(spec), bits), bits));
      }
    }
    return values;
  }

  /**
   * A quantised parameter's rows, of one tensor after another.
   *
   * @throws UserError when a tensor of it is missing, misshapen or damaged
   */
  async *readQuantizedParameter(spec: ParameterSpec): AsyncGenerator<QuantizedRows> {
    const bits = this.#bitsOf(spec);
    if (bits === null) throw new Error(`${spec.name} is not quantised`);
    for (const name of hubNames(spec)) yield this.#readRows(name, tensorShape(spec), bits);
  }

  async close(): Promise<void> {
    await Promise.all(this.#files.map((file) => file.close()));
  }

  #add(tensor: string, file: SafetensorsFile): void {
    const other = this.#fileOf.get(tensor);
    if (other) {
      throw new UserError(
        `${file.name}: tensor "${tensor}" is in ${other.name} too; remove one of the files`,
      );
    }
    if (tensor.endsWith('.qkv_proj.weight')) {
      throw new UserError(
        `${file.name}: tensor "${tensor}" fuses query, key and value, which is not supported; ` +
          'split it into q_proj, k_proj and v_proj',
      );
    }
    this.#fileOf.set(tensor, file);
  }

  #countMtpHeads(expected: number): number {
    const heads = [...this.#fileOf.keys()].map((tensor) => {
      const [, head] = /^model\.mtp\.layers\.(\d+)\./.exec(tensor) ?? [];
      return head === undefined ? 0 : Number(head) + 1;
    });
    const found = heads.reduce((most, count) => Math.max(most, count), 0);
    if (expected > found) {
      throw new UserError(
        `${this.name}: num_nextn_predict_layers is ${expected}, but the files have ${found} MTP ` +
          'heads; add model_mtp.safetensors or correct config.json',
      );
    }
    return expected || found;
  }

  /** Every parameter has its tensors, and every weight in a layer of ours is a parameter. */
  #checkParameters(): void {
    const expected = new Set<string>();
    for (const spec of parameterSpecs(this.config)) {
      const bits = this.#bitsOf(spec);
      for (const name of hubNames(spec)) {
        if (bits === null) this.#checkShape(name, tensorShape(spec));
        else this.#checkQuantized(name, tensorShape(spec), bits);
        expected.add(name);
      }
    }
    for (const [name, file] of this.#fileOf) {
      if (expected.has(name) || !this.#belongsToLayer(name)) continue;
      throw new UserError(
        `${file.name}: tensor "${name}" has no place in the model that config.json describes; ` +
          'correct config.json or use the weights that belong to it',
      );
    }
  }

  /** Scales and buffers aside, for which the config has no words. MTP heads may go unused. */
  #belongsToLayer(name: string): boolean {
    if (!/(weight|bias)$/.test(name)) return false;
    const [, head] = /^model\.mtp\.layers\.(\d+)\./.exec(name) ?? [];
    return name.startsWith('model.layers.') || Number(head) < this.config.mtpHeads;
  }

  #checkShape(name: string, expected: number[]): void {
    const file = this.#fileOf.get(name);
    if (!file) {
      throw new UserError(
        `${this.name}: tensor "${name}" of shape [${expected}] is missing; ` +
          'config.json describes another model, or a weights file is missing',
      );
    }
    const found = file.info(name).shape;
    if (found.length === expected.length && found.every((size, i) => size === expected[i])) return;
    throw new UserError(
      `${file.name}: tensor "${name}" has shape [${found}], but config.json asks for ` +
        `[${expected}]; correct config.json or use the weights that belong to it`,
    );
  }

  /** The bits that a parameter is quantised to, or null. */
  #bitsOf(spec: ParameterSpec): QuantizedBits | null {
    return this.bits !== null && quantizes(spec, this.#specs) ? this.bits : null;
  }

  #checkQuantized(name: string, shape: number[], bits: QuantizedBits): void {
    const [rows = 0, columns = 0] = shape;
    const parts = quantizedTensors(name, [rows, columns], bits);
    for (const { name: part, shape: expected, dtype } of parts) {
      this.#checkShape(part, expected);
      const file = this.#file(part);
      const found = file.info(part).dtype;
      if (found === dtype) continue;
      throw new UserError(
        `${file.name}: tensor "${part}" is ${found}, but config.json says that weights are ` +
          `quantised, which asks for ${dtype}; use the weights that belong to it`,
      );
    }
  }

  async #readRows(name: string, shape: number[], bits: QuantizedBits): Promise<QuantizedRows> {
    this.#checkQuantized(name, shape, bits);
    const scales = quantizedScaleName(name);
    const codes = await this.#file(scales).readBytes(scales);
    // Copies: bytes need not be aligned where they are.
    const rows = {
      numbers: (await this.#file(name).readBytes(name)).slice(),
      scales: new Uint16Array(codes.slice().buffer),
    };
    const bad = rows.scales.findIndex((code) => (code & 0x7f80) === 0x7f80);
    if (bad < 0) return rows;
    throw new UserError(
      `${this.#file(scales).name}: tensor "${scales}" holds a scale that is no number at element ` +
        `${bad}; the weights are damaged, so quantise or copy them again`,
    );
  }

  get #specs(): ParameterSpec[] {
    this.#allSpecs ??= parameterSpecs(this.config);
    return this.#allSpecs;
  }

  #file(name: string): SafetensorsFile {
    const file = this.#fileOf.get(name);
    if (file) return file;
    throw new UserError(`${this.name}: tensor "${name}" is missing; the checkpoint is incomplete`);
  }

  async #readInto(name: string, out: Float32Array): Promise<void> {
    const file = this.#file(name);
    const { dtype, shape } = file.info(name);
    if (dtype === 'F8_E4M3') {
      const [rows = 0, columns = 0, ...rest] = shape;
      if (columns === 0 || rest.length > 0) {
        throw new UserError(
          `${file.name}: tensor "${name}" is FP8 of shape [${shape}]; only matrices can be FP8`,
        );
      }
      const scaleRow = await this.#scaleRow(name, rows, columns);
      dequantizeBlocks(await file.readBytes(name), columns, scaleRow, out);
    } else {
      await file.readFloats(name, out);
    }
    const index = findNonFinite(out);
    if (index >= 0) {
      throw new UserError(
        `${file.name}: tensor "${name}" holds ${out[index]} at element ${index}; the weights are ` +
          'damaged or training diverged, so use another checkpoint',
      );
    }
  }

  async #scaleRow(name: string, rows: number, columns: number): Promise<ScaleRow> {
    const [, layer, part] = /^(.+\.self_attn)\.([kv])_proj\.weight$/.exec(name) ?? [];
    const keyName = `${layer}.k_proj.weight`;
    if (layer !== undefined && this.has(scaleName(keyName))) {
      const attention = this.#attentionOf(layer);
      const keyScales = await this.#readScales(keyName, columns);
      const layout = fusedLayout(attention, keyScales.rows);
      if (layout && part === 'k') return fusedKeyScaleRow(attention, layout, keyScales);
      if (layout) {
        const scaleRows = attention.keyValueHeads * layout.valueBlocks;
        const valueScales = await this.#readScales(name, columns, scaleRows);
        return fusedValueScaleRow(attention, layout, keyScales, valueScales);
      }
    }
    return uniformScaleRow(await this.#readScales(name, columns, Math.ceil(rows / BLOCK)));
  }

  /** @param expectedRows of scales; any number when absent */
  async #readScales(name: string, columns: number, expectedRows?: number): Promise<BlockScales> {
    const tensor = scaleName(name);
    const file = this.#file(tensor);
    const { shape } = file.info(tensor);
    const expected = [expectedRows ?? shape[0] ?? 0, Math.ceil(columns / BLOCK)];
    this.#checkShape(tensor, expected);
    return { rows: expected[0]!, columns: expected[1]!, values: await file.readFloats(tensor) };
  }

  /** @param prefix such as `model.layers.5.self_attn` */
  #attentionOf(prefix: string): AttentionConfig {
    const [, layer] = /^model\.layers\.(\d+)\./.exec(prefix) ?? [];
    if (layer === undefined) return this.config.slidingAttention;
    return attentionOf(this.config, Number(layer));
  }
}

/** The shape of a parameter's tensors in the hub's files: of one expert where it stacks them. */
export function tensorShape(spec: ParameterSpec): number[] {
  return isStacked(spec) ? spec.shape.slice(1) : spec.shape;
}

function scaleName(weight: string): string {
  return `${weight}_scale_inv`;
}

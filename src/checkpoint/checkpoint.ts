/**
 * A model's weights in the hub's files, as parameters of ours. A checkpoint that opens is complete:
 * every parameter of its config is there in the right shape, and nothing that the config has no
 * place for. Numbers are read when asked for, one parameter at a time.
 */
import { UserError } from '../errors.ts';
import type { ModelConfig } from '../model/config.ts';
import { quantizes } from '../model/parameter-memory.ts';
import { hubNames, isStacked, type ParameterSpec, parameterSpecs } from '../model/parameters.ts';
import { dequantize } from '../tensor/quantize.ts';
import type { QuantizedBits, QuantizedRows } from '../tensor/quantized-matrix.ts';
import { readFp8 } from './fp8-tensors.ts';
import { findNonFinite } from './number-formats.ts';
import { checkQuantized, readQuantizedRows } from './quantized-tensors.ts';
import type { SafetensorsFile } from './safetensors.ts';
import { elementCount, type TensorInfo } from './safetensors-header.ts';
import { StoredTensors } from './stored-tensors.ts';

export class Checkpoint {
  /** With `mtpHeads` counted in the files when the config does not give it. */
  readonly config: ModelConfig;
  /** Of quantised weights; null if there are none. */
  readonly bits: QuantizedBits | null;
  readonly #tensors: StoredTensors;
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
    this.bits = bits;
    this.#tensors = new StoredTensors(name, files);
    this.config = { ...config, mtpHeads: this.#countMtpHeads(config.mtpHeads) };
    this.#checkParameters();
  }

  /** Where the checkpoint is, for messages. */
  get name(): string {
    return this.#tensors.name;
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** A stored tensor, by its hub name. */
  info(name: string): TensorInfo {
    return this.#tensors.fileOf(name).info(name);
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
        this.#tensors.checkShape(name, tensorShape(spec));
        await this.#readInto(name, part);
      } else {
        const rows = await readQuantizedRows(this.#tensors, name, tensorShape(spec), bits);
        part.set(dequantize(rows, bits));
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
    for (const name of hubNames(spec)) {
      yield readQuantizedRows(this.#tensors, name, tensorShape(spec), bits);
    }
  }

  close(): Promise<void> {
    return this.#tensors.close();
  }

  #countMtpHeads(expected: number): number {
    const heads = Array.from(this.#tensors.entries(), ([tensor]) => {
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
        if (bits === null) this.#tensors.checkShape(name, tensorShape(spec));
        else checkQuantized(this.#tensors, name, tensorShape(spec), bits);
        expected.add(name);
      }
    }
    for (const [name, file] of this.#tensors.entries()) {
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

  /** The bits that a parameter is quantised to, or null. */
  #bitsOf(spec: ParameterSpec): QuantizedBits | null {
    return this.bits !== null && quantizes(spec, this.#specs) ? this.bits : null;
  }

  get #specs(): ParameterSpec[] {
    this.#allSpecs ??= parameterSpecs(this.config);
    return this.#allSpecs;
  }

  async #readInto(name: string, out: Float32Array): Promise<void> {
    const file = this.#tensors.fileOf(name);
    if (file.info(name).dtype === 'F8_E4M3') {
      await readFp8(this.#tensors, this.config, name, out);
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
}

/** The shape of a parameter's tensors in the hub's files: of one expert where it stacks them. */
export function tensorShape(spec: ParameterSpec): number[] {
  return isStacked(spec) ? spec.shape.slice(1) : spec.shape;
}

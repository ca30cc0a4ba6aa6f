import { UserError } from '../errors.ts';
import type { SafetensorsFile } from './safetensors.ts';

/** The tensors of a checkpoint's files by their hub names, whatever model they are of. */
export class StoredTensors {
  /** Where the checkpoint is, for messages. */
  readonly name: string;
  readonly #files: readonly SafetensorsFile[];
  readonly #fileOf = new Map<string, SafetensorsFile>();

  /** @throws UserError when two files have a tensor of one name, or one is of a kind that cannot be read */
  constructor(name: string, files: readonly SafetensorsFile[]) {
    this.name = name;
    this.#files = files;
    for (const file of files) {
      for (const tensor of file.tensors.keys()) this.#add(tensor, file);
    }
  }

  has(name: string): boolean {
    return this.#fileOf.has(name);
  }

  /** Every tensor's name with its file. */
  entries(): Iterable<[name: string, file: SafetensorsFile]> {
    return this.#fileOf;
  }

  /** @throws UserError when there is no such tensor */
  fileOf(name: string): SafetensorsFile {
    const file = this.#fileOf.get(name);
    if (file) return file;
    throw new UserError(`${this.name}: tensor "${name}" is missing; the checkpoint is incomplete`);
  }

  /** @throws UserError when the tensor is missing, or of another shape than the config asks for */
  checkShape(name: string, expected: readonly number[]): void {
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
}

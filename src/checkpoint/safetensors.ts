/**
 * Reads the safetensors format. Opening reads the header only; each tensor is then read by its
 * byte range, so a file may be larger than memory.
 */
import { UserError } from '../errors.ts';
import type { ByteSource } from './byte-source.ts';
import { decodeFloats, type FloatFormat } from './number-formats.ts';
import {
  elementCount,
  LENGTH_BYTES,
  MAX_HEADER_BYTES,
  parseHeader,
  type TensorInfo,
} from './safetensors-header.ts';

/** An open file. `close` it when done. */
export class SafetensorsFile {
  /** The file's name, for messages. */
  readonly name: string;
  /** In the order of their bytes in the file. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #source: ByteSource;

  /**
   * Reads and checks the header. Closes `source` when that fails.
   *
   * @throws UserError when the file is damaged
   */
  static async open(source: ByteSource): Promise<SafetensorsFile> {
    try {
      const header = parseHeader(await readHeader(source), source.byteLength, source.name);
      return new SafetensorsFile(source, header.tensors, header.metadata);
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  private constructor(source: ByteSource, tensors: TensorInfo[], metadata: Record<string, string>) {
    this.name = source.name;
    this.tensors = new Map(tensors.map((tensor) => [tensor.name, tensor]));
    this.metadata = metadata;
    this.#source = source;
  }

  /** @throws UserError when there is no such tensor */
  info(name: string): TensorInfo {
    const info = this.tensors.get(name);
    if (info) return info;
    throw new UserError(`${this.name}: tensor "${name}" is missing; it belongs to another model`);
  }

  /** A tensor's bytes as they are in the file, `byteLength` of them. */
  readBytes(name: string): Promise<Uint8Array> {
    const { offset, byteLength } = this.info(name);
    return this.#source.read(offset, byteLength);
  }

  /**
   * A tensor's numbers as float32, one per element, into `out` or a new array. FP8 gives the stored
   * numbers, without any scale.
   *
   * @throws UserError when the tensor holds anything but floating-point numbers
   */
  async readFloats(name: string, out?: Float32Array): Promise<Float32Array> {
    const info = this.info(name);
    const { dtype } = info;
    if (!isFloatFormat(dtype)) {
      throw new UserError(
        `${this.name}: tensor "${name}" is ${dtype}; it must be one of ${floatFormats.join(', ')}`,
      );
    }
    const values = out ?? new Float32Array(elementCount(info.shape));
    decodeFloats(dtype, await this.readBytes(name), values);
    return values;
  }

  /** A tensor of I32: token ids, expert numbers. */
  async readIntegers(name: string): Promise<Int32Array> {
    const { dtype } = this.info(name);
    if (dtype !== 'I32') {
      throw new UserError(`${this.name}: tensor "${name}" is ${dtype}; it must be I32`);
    }
    // A copy: the bytes need not be aligned where they are.
    return new Int32Array(new Uint8Array(await this.readBytes(name)).buffer);
  }

  close(): Promise<void> {
    return this.#source.close();
  }
}

const floatFormats: readonly FloatFormat[] = ['F32', 'F16', 'BF16', 'F8_E4M3'];

function isFloatFormat(dtype: string): dtype is FloatFormat {
  return (floatFormats as readonly string[]).includes(dtype);
}

/** The JSON, without the length in front of it. */
async function readHeader(source: ByteSource): Promise<Uint8Array> {
  const { name, byteLength } = source;
  if (byteLength < LENGTH_BYTES) {
    throw new UserError(
      `${name}: has ${byteLength} bytes, too few for a safetensors file; copy or download it again`,
    );
  }
  const head = await source.read(0, LENGTH_BYTES);
  const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES) {
    throw new UserError(
      `${name}: gives its header ${length} bytes, more than the format allows; ` +
        'it is damaged or not a safetensors file',
    );
  }
  if (LENGTH_BYTES + Number(length) > byteLength) {
    throw new UserError(
      `${name}: gives its header ${length} bytes, but the file has ${byteLength}; ` +
        'it is cut short, so copy or download it again',
    );
  }
  return source.read(LENGTH_BYTES, Number(length));
}

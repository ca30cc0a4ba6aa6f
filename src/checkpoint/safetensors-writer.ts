/**
 * Writes the safetensors format, tensor by tensor: the layout is known before the first number, so
 * each tensor goes straight to its place and none waits in memory for another.
 */
import { AtomicFile } from './atomic.ts';
import { layOut, type TensorInfo, type TensorLayout } from './safetensors-header.ts';

/**
 * Writes or replaces a file, atomically.
 *
 * @param tensors names and bytes of all of `layout`, in any order
 * @throws UserError when the system refuses; the previous file is then intact
 */
export async function writeSafetensors(
  path: string,
  layout: TensorLayout[],
  tensors: Iterable<[string, Uint8Array]> | AsyncIterable<[string, Uint8Array]>,
  metadata: Record<string, string> = {},
): Promise<void> {
  const writer = await SafetensorsWriter.create(path, layout, metadata);
  try {
    for await (const [name, bytes] of tensors) await writer.write(name, bytes);
    await writer.finish();
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

/** A file under construction. End with `finish`, or with `discard` when anything threw. */
export class SafetensorsWriter {
  readonly #file: AtomicFile;
  /** Tensors still to be written. */
  readonly #remaining: Map<string, TensorInfo>;

  /** @throws UserError when no file can be made in the folder */
  static async create(
    path: string,
    layout: TensorLayout[],
    metadata: Record<string, string>,
  ): Promise<SafetensorsWriter> {
    const { header, tensors } = layOut(layout, metadata);
    const remaining = new Map(tensors.map((tensor) => [tensor.name, tensor]));
    if (remaining.size !== layout.length) throw new Error(`${path}: a tensor is laid out twice`);
    const writer = new SafetensorsWriter(await AtomicFile.create(path), remaining);
    try {
      await writer.#file.write(header, 0);
      return writer;
    } catch (error) {
      await writer.discard();
      throw error;
    }
  }

  private constructor(file: AtomicFile, remaining: Map<string, TensorInfo>) {
    this.#file = file;
    this.#remaining = remaining;
  }

  /** Whether every tensor of the layout has been written. */
  get complete(): boolean {
    return this.#remaining.size === 0;
  }

  /** Writes one tensor, once, in any order. */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    const info = this.#remaining.get(name);
    if (!info) throw new Error(`${this.#file.path}: tensor ${name} is not awaited`);
    if (bytes.byteLength !== info.byteLength) {
      throw new Error(
        `${this.#file.path}: tensor ${name} has ${bytes.byteLength} bytes, not ${info.byteLength}`,
      );
    }
    await this.#file.write(bytes, info.offset);
    this.#remaining.delete(name);
  }

  /** Makes the file the one at its path; every tensor must have been written. */
  async finish(): Promise<void> {
    const [missing] = this.#remaining.keys();
    if (missing !== undefined) throw new Error(`${this.#file.path}: tensor ${missing} is missing`);
    await this.#file.commit();
  }

  /** Removes what was written. */
  discard(): Promise<void> {
    return this.#file.discard();
  }
}

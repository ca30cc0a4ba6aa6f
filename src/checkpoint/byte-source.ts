/**
 * Where a file's bytes come from. Checkpoints are read through this alone, so that a file larger
 * than memory needs only the ranges asked for, and so that a browser can read over HTTP ranges.
 */
export interface ByteSource {
  /** The file's name, for messages. */
  readonly name: string;
  readonly byteLength: number;
  /** The `length` bytes from `offset`, which lie within the file. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A file that is in memory already. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    byteLength: bytes.byteLength,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    close: async () => {},
  };
}

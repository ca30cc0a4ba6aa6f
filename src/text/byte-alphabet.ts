/**
 * GPT-2's byte alphabet: one printable character for each of the 256 bytes, so that a byte-level
 * vocabulary can be written as JSON strings. Printable Latin-1 bytes stand for themselves; the
 * other 68 take the code points from U+0100 up, in byte order (a space is `Ġ`, a newline `Ċ`).
 */
export const byteToChar: readonly string[] = buildAlphabet();

export const charToByte: ReadonlyMap<string, number> = new Map(
  byteToChar.map((char, byte) => [char, byte]),
);

/** The bytes that a token of a byte-level vocabulary stands for; `undefined` if it is not one. */
export function tokenToBytes(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = charToByte.get(token[i]!);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

function buildAlphabet(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(isPrintable(byte) ? byte : next++),
  );
}

/** Printable in Latin-1; the soft hyphen (0xAD) is not. */
function isPrintable(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad);
}

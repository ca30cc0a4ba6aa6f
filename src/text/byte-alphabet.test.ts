import { expect, test } from 'vitest';
import { byteToChar, charToByte, tokenToBytes } from './byte-alphabet.ts';

test('the alphabet is GPT-2’s: 256 different characters, printable bytes themselves', () => {
  expect(new Set(byteToChar).size).toBe(256);
  expect(byteToChar[0x41]).toBe('A');
  expect(byteToChar[0x20]).toBe('Ġ');
  expect(byteToChar[0x0a]).toBe('Ċ');
  expect(byteToChar[0xad]).toBe('Ń');
  expect(charToByte.get('Ġ')).toBe(0x20);
});

test('a token is read back as bytes, and what is not in the alphabet is refused', () => {
  expect(tokenToBytes('ĠA')).toEqual(Uint8Array.of(0x20, 0x41));
  expect(tokenToBytes('')).toEqual(new Uint8Array(0));
  expect(tokenToBytes('a b')).toBeUndefined();
});

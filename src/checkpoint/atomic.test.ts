import fs from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { systemError, temporaryDirectory } from '../../test/support/checkpoint.ts';
import { UserError } from '../errors.ts';
import { atomicWriteFile } from './atomic.ts';
import { writeSafetensors } from './safetensors-writer.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** Makes one operation of the next file that is opened fail as a full disk does. */
function failNextFile(operation: 'write' | 'sync' | 'close', code: string): void {
  const open = fs.open;
  vi.spyOn(fs, 'open').mockImplementationOnce(async (...parameters) => {
    const handle = await open(...parameters);
    vi.spyOn(handle, operation).mockRejectedValueOnce(systemError(code));
    return handle;
  });
}

test('a file is written and replaced, and nothing else is left', async () => {
  const directory = await temporaryDirectory();
  const path = join(directory, 'a.json');
  await atomicWriteFile(path, 'first');
  await atomicWriteFile(path, new TextEncoder().encode('second ✓'));
  expect(await fs.readFile(path, 'utf8')).toBe('second ✓');
  expect(await fs.readdir(directory)).toEqual(['a.json']);
});

describe('when the disk refuses, the old file stays and nothing else is left', () => {
  test.each([
    ['write', 'ENOSPC', 'the disk is full; free some space and try again'],
    ['write', 'EDQUOT', 'the disk quota is used up'],
    ['sync', 'EIO', 'the disk reports an error'],
    ['close', 'ENOSPC', 'the disk is full'],
    ['write', 'EWEIRD', 'the system says EWEIRD'],
  ] as const)('%s: %s', async (operation, code, reason) => {
    const directory = await temporaryDirectory();
    const path = join(directory, 'a.json');
    await atomicWriteFile(path, 'old');
    failNextFile(operation, code);
    const result = atomicWriteFile(path, 'new');
    await expect(result).rejects.toThrow(UserError);
    await expect(result).rejects.toThrow(`cannot write ${path}: ${reason}`);
    await expect(result).rejects.toThrow('the previous file is intact');
    expect(await fs.readFile(path, 'utf8')).toBe('old');
    expect(await fs.readdir(directory)).toEqual(['a.json']);
  });

  test('rename', async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, 'a.json');
    vi.spyOn(fs, 'rename').mockRejectedValueOnce(systemError('EPERM'));
    await expect(atomicWriteFile(path, 'new')).rejects.toThrow(
      'the operation is not permitted; nothing was written',
    );
    expect(await fs.readdir(directory)).toEqual([]);
  });

  test('a safetensors file in the making', async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, 'a.safetensors');
    await atomicWriteFile(path, 'old');
    failNextFile('write', 'ENOSPC');
    const layout = [{ name: 'a', dtype: 'U8' as const, shape: [2] }];
    await expect(writeSafetensors(path, layout, [['a', new Uint8Array(2)]])).rejects.toThrow(
      'the disk is full; free some space and try again; the previous file is intact',
    );
    expect(await fs.readFile(path, 'utf8')).toBe('old');
    expect(await fs.readdir(directory)).toEqual(['a.safetensors']);
  });
});

test('a missing folder is named', async () => {
  const path = join(await temporaryDirectory(), 'no', 'a.json');
  await expect(atomicWriteFile(path, 'x')).rejects.toThrow('no such file or folder');
});

test('a folder that cannot be flushed does not undo what was written', async () => {
  const path = join(await temporaryDirectory(), 'a.json');
  const open = fs.open;
  vi.spyOn(fs, 'open').mockImplementationOnce(open).mockRejectedValueOnce(systemError('EISDIR'));
  await atomicWriteFile(path, 'new');
  expect(await fs.readFile(path, 'utf8')).toBe('new');
});

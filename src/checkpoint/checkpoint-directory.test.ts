/**
 * Saves over a checkpoint, with the process or the disk failing at every single step, and expects
 * the old checkpoint or the new one, complete.
 */
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  randomParameters,
  systemError,
  temporaryDirectory,
} from '../../test/support/checkpoint.ts';
import { tinyConfig } from '../../test/tiny-config.ts';
import { UserError } from '../errors.ts';
import { openCheckpoint } from './load.ts';
import { saveCheckpoint } from './save.ts';

const config = tinyConfig({
  mtpHeads: 1,
  layers: [{ attention: 'sliding', feedForward: 'experts' }],
});
const versions = { old: randomParameters(config, 1), new: randomParameters(config, 2) };
type Version = keyof typeof versions;

function save(path: string, version: Version): Promise<void> {
  return saveCheckpoint(path, config, versions[version], {
    dtype: 'f32',
    mtpInOwnFile: true,
    maxShardBytes: 12_000,
    files: { 'tokenizer.json': version },
  });
}

/** Which version is found at `path`; every weight and file must be of that one. */
async function savedVersion(path: string): Promise<Version> {
  const checkpoint = await openCheckpoint(path);
  try {
    const folder = join(checkpoint.name, '..');
    const version = (await fs.readFile(join(folder, 'tokenizer.json'), 'utf8')) as Version;
    for (const { spec, data } of versions[version]) {
      expect(await checkpoint.readParameter(spec)).toEqual(data);
    }
    return version;
  } finally {
    await checkpoint.close();
  }
}

const steps = ['open', 'mkdir', 'rename', 'rm', 'rmdir', 'copyFile', 'readdir'] as const;

/** Counts file-system calls, and makes some of them fail. */
function watchFileSystem(fails: (call: number) => boolean): { calls: number } {
  const state = { calls: 0 };
  const step = async () => {
    if (fails(state.calls++)) throw systemError('ENOSPC');
  };
  for (const name of steps) {
    const original = fs[name] as (...parameters: unknown[]) => Promise<unknown>;
    const replacement = async (...parameters: unknown[]) => {
      await step();
      const result = await original(...parameters);
      if (name === 'open') watchHandle(result as fs.FileHandle, step);
      return result;
    };
    vi.spyOn(fs, name).mockImplementation(replacement as never);
  }
  return state;
}

function watchHandle(handle: fs.FileHandle, step: () => Promise<void>): void {
  for (const name of ['write', 'sync'] as const) {
    const original = handle[name].bind(handle) as (...parameters: unknown[]) => Promise<unknown>;
    const replacement = async (...parameters: unknown[]) => {
      await step();
      return original(...parameters);
    };
    vi.spyOn(handle, name).mockImplementation(replacement as never);
  }
}

afterEach(() => {
  vi.restoreAllMocks();
});

async function countCalls(): Promise<number> {
  const path = join(await temporaryDirectory(), 'model');
  await save(path, 'old');
  const state = watchFileSystem(() => false);
  await save(path, 'new');
  vi.restoreAllMocks();
  return state.calls;
}

test('the disk refusing any one step leaves one complete checkpoint and no litter', async () => {
  const calls = await countCalls();
  expect(calls).toBeGreaterThan(30);
  const seen = new Set<Version>();
  for (let failing = 0; failing < calls; failing++) {
    const parent = await temporaryDirectory();
    const path = join(parent, 'model');
    await save(path, 'old');
    watchFileSystem((call) => call === failing);
    const error = await save(path, 'new').then(
      () => null,
      (thrown: unknown) => thrown,
    );
    vi.restoreAllMocks();
    const version = await savedVersion(path);
    seen.add(version);
    if (error) {
      expect(error).toBeInstanceOf(UserError);
      expect(String(error)).toContain(
        'the disk is full; free some space and try again; the previous checkpoint is intact',
      );
      expect(String(error)).toContain(`cannot save ${path}: `);
      expect(await fs.readdir(parent)).toEqual(['model']);
    }
    // Reported as failed exactly when the old one stayed.
    expect(error === null, `step ${failing}`).toBe(version === 'new');
    await save(path, 'new');
    expect(await savedVersion(path)).toBe('new');
    expect(await fs.readdir(parent)).toEqual(['model']);
  }
  expect(seen).toEqual(new Set(['old', 'new']));
});

test('the process stopping at any step leaves one complete checkpoint', async () => {
  const calls = await countCalls();
  const seen = new Set<string>();
  for (let last = 0; last <= calls; last++) {
    const parent = await temporaryDirectory();
    const path = join(parent, 'model');
    await save(path, 'old');
    watchFileSystem((call) => call >= last);
    await save(path, 'new').catch(() => {});
    vi.restoreAllMocks();
    const version = await savedVersion(path);
    seen.add(`${version}, ${(await fs.readdir(parent)).includes('model') ? 'there' : 'aside'}`);
    // The next save cleans up whatever was left.
    await save(path, version === 'old' ? 'new' : 'old');
    expect(await savedVersion(path)).toBe(version === 'old' ? 'new' : 'old');
    expect(await fs.readdir(parent)).toEqual(['model']);
  }
  expect(seen).toEqual(new Set(['old, there', 'old, aside', 'new, there']));
});

test('a first save that fails leaves nothing', async () => {
  const parent = await temporaryDirectory();
  watchFileSystem((call) => call === 12);
  await expect(save(join(parent, 'model'), 'new')).rejects.toThrow('nothing was saved');
  vi.restoreAllMocks();
  expect(await fs.readdir(parent)).toEqual([]);
});

describe('after a stop between the two renames', () => {
  async function stopBetweenRenames(): Promise<string> {
    const path = join(await temporaryDirectory(), 'model');
    await save(path, 'old');
    await fs.rename(path, join(path, '..', '.model.previous'));
    return path;
  }

  test('a failing save puts the last checkpoint back', async () => {
    const path = await stopBetweenRenames();
    vi.spyOn(fs, 'mkdir').mockImplementation(async () => {
      throw systemError('ENOSPC');
    });
    vi.spyOn(fs, 'mkdir').mockResolvedValueOnce(undefined);
    await expect(save(path, 'new')).rejects.toThrow('the previous checkpoint is intact');
    expect(await savedVersion(path)).toBe('old');
    expect(await fs.readdir(join(path, '..'))).toEqual(['model']);
  });

  test('an empty folder made in its place does not hide it', async () => {
    const path = await stopBetweenRenames();
    await fs.mkdir(path);
    expect(await savedVersion(path)).toBe('old');
    await save(path, 'new');
    expect(await savedVersion(path)).toBe('new');
    expect(await fs.readdir(join(path, '..'))).toEqual(['model']);
  });
});

describe('a place that is not a checkpoint is left alone', () => {
  test('a folder of other files', async () => {
    const path = await temporaryDirectory();
    await fs.writeFile(join(path, 'thesis.md'), 'mine');
    await expect(save(path, 'new')).rejects.toThrow(
      `cannot save ${path}: it holds files but no checkpoint, so choose a new or empty folder; ` +
        'nothing was saved',
    );
    expect(await fs.readdir(path)).toEqual(['thesis.md']);
  });

  test('a checkpoint with a folder in it', async () => {
    const path = join(await temporaryDirectory(), 'model');
    await save(path, 'old');
    await fs.mkdir(join(path, 'runs'));
    await expect(save(path, 'new')).rejects.toThrow('it holds a folder, runs, so move that');
    expect(await savedVersion(path)).toBe('old');
  });

  test('a file', async () => {
    const path = join(await temporaryDirectory(), 'model');
    await fs.writeFile(path, 'mine');
    await expect(save(path, 'new')).rejects.toThrow(`cannot save ${path}: a part of its path is`);
    expect(await fs.readFile(path, 'utf8')).toBe('mine');
  });

  test('a mount point', async () => {
    const path = join(await temporaryDirectory(), 'model');
    await save(path, 'old');
    vi.spyOn(fs, 'rename').mockImplementation(async (from) => {
      if (from === path) throw systemError('EBUSY');
    });
    await expect(save(path, 'new')).rejects.toThrow('it is in use or a mount point; use a folder');
  });
});

test('a symbolic link stays one, and its target is replaced', async () => {
  const parent = await temporaryDirectory();
  await save(join(parent, 'step-1'), 'old');
  await fs.symlink('step-1', join(parent, 'latest'));
  await save(join(parent, 'latest'), 'new');
  expect((await fs.readdir(parent)).toSorted()).toEqual(['latest', 'step-1']);
  expect(await fs.readlink(join(parent, 'latest'))).toBe('step-1');
  expect(await savedVersion(join(parent, 'step-1'))).toBe('new');
});

describe('a save while a reader opens', () => {
  /** Has the reader's opens of the config go as `open` says, which is given the real call. */
  function whenConfigOpens(
    path: string,
    open: (real: () => ReturnType<typeof fs.open>) => unknown,
  ) {
    const real = fs.open;
    vi.spyOn(fs, 'open').mockImplementation((async (...parameters: Parameters<typeof fs.open>) => {
      const call = () => real(...parameters);
      return parameters[0] === join(path, 'config.json') ? open(call) : call();
    }) as typeof fs.open);
  }

  test('makes it open anew, so that all files are of one save', async () => {
    const path = join(await temporaryDirectory(), 'model');
    await save(path, 'old');
    let opens = 0;
    whenConfigOpens(path, async (real) => {
      const config = await real();
      if (opens++ === 0) await save(path, 'new');
      return config;
    });
    const checkpoint = await openCheckpoint(path);
    expect(opens).toBe(2);
    expect(await checkpoint.read('model.norm.weight')).toEqual(weightOf('new'));
    await checkpoint.close();
  });

  test('is not taken for a damaged checkpoint', async () => {
    const path = join(await temporaryDirectory(), 'model');
    await save(path, 'old');
    let opens = 0;
    whenConfigOpens(path, async (real) => {
      if (opens++ > 0) return real();
      await save(path, 'new');
      throw systemError('ENOENT');
    });
    const checkpoint = await openCheckpoint(path);
    expect(await checkpoint.read('model.norm.weight')).toEqual(weightOf('new'));
    await checkpoint.close();
  });

  test('without end is given up', async () => {
    const path = join(await temporaryDirectory(), 'model');
    await save(path, 'old');
    whenConfigOpens(path, async (real) => {
      await save(path, 'new');
      return real();
    });
    await expect(openCheckpoint(path)).rejects.toThrow('is being saved over and over');
  });

  function weightOf(version: Version): Float32Array {
    return versions[version].find(({ spec }) => spec.name === 'model.norm.weight')!.data;
  }
});

test('a reader gets one whole version while a writer saves over and over', async () => {
  const path = join(await temporaryDirectory(), 'model');
  await save(path, 'old');
  let writing = true;
  const writer = (async () => {
    for (let i = 0; i < 10; i++) await save(path, i % 2 === 0 ? 'new' : 'old');
    writing = false;
  })();
  let reads = 0;
  while (writing) {
    const checkpoint = await openCheckpoint(path);
    const first = await checkpoint.read('model.embed_tokens.weight');
    const version = first[0] === versions.old[0]!.data[0] ? 'old' : 'new';
    for (const { spec, data } of versions[version]) {
      expect(await checkpoint.readParameter(spec)).toEqual(data);
    }
    await checkpoint.close();
    reads++;
  }
  await writer;
  expect(reads).toBeGreaterThan(0);
});

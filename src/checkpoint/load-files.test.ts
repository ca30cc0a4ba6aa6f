import fs, { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { randomParameters, temporaryDirectory } from '../../test/support/checkpoint.ts';
import { hubTensors, problemOf, writeTensors } from '../../test/support/hub-tensors.ts';
import { tinyConfig } from '../../test/tiny-config.ts';
import { toHubConfig } from '../model/hub-config.ts';
import { openCheckpoint, openCheckpointFiles } from './load.ts';
import { saveCheckpoint } from './save.ts';

const config = tinyConfig({ mtpHeads: 2 });
const hub = toHubConfig(config);

describe('files that are missing or damaged', () => {
  const shardName = 'model-00002-of-00002.safetensors';

  /** A sharded checkpoint, after `damage`. */
  async function damaged(damage: (path: string) => Promise<unknown>): Promise<string> {
    const path = join(await temporaryDirectory(), 'model');
    await saveCheckpoint(path, config, randomParameters(config), {
      dtype: 'f32',
      maxShardBytes: 40_000,
    });
    expect(await fs.readdir(path)).toContain(shardName);
    await damage(path);
    return path;
  }

  const index = 'model.safetensors.index.json';
  const mapTo = (file: string) => (path: string) =>
    writeFile(join(path, index), JSON.stringify({ weight_map: { 'lm_head.weight': file } }));

  test.each<[string, (path: string) => Promise<unknown>, string]>([
    ['no directory', (path) => fs.rm(path, { recursive: true }), 'there is no checkpoint here'],
    ['no config', (path) => fs.rm(join(path, 'config.json')), 'has no config.json, so it is not'],
    ['a broken config', (path) => writeFile(join(path, 'config.json'), '{\n"a'), 'is not JSON'],
    ['no weights', (path) => fs.rm(join(path, index)), 'has neither model.safetensors nor'],
    ['a broken index', (path) => writeFile(join(path, index), '{'), `${index}: is not JSON`],
    ['an empty index', (path) => writeFile(join(path, index), '{}'), 'weight_map must give'],
    ['an index that leads out', mapTo('../a.safetensors'), 'weight_map names "../a.safetensors"'],
    ['an index of another kind', mapTo('a.bin'), 'weight_map names "a.bin", not a weights file'],
    [
      'a missing shard',
      (path) => fs.rm(join(path, shardName)),
      `names ${shardName}, which is miss`,
    ],
    ['a cut shard', (path) => fs.truncate(join(path, shardName), 5000), `${shardName}: tensor `],
  ])('%s', async (_, damage, message) => {
    const path = await damaged(damage);
    const problem = await problemOf(path);
    expect(problem).toContain(message);
    expect(problem.startsWith(path)).toBe(true);
  });

  test('a file in place of the directory', async () => {
    const path = join(await temporaryDirectory(), 'model.safetensors');
    await writeFile(path, 'x');
    expect(await problemOf(path)).toContain(`cannot read ${path}: `);
  });
});

describe('files with names of their own', () => {
  test('are opened by their prefix or by their paths', async () => {
    const folder = await temporaryDirectory();
    const files = {
      config: join(folder, 'a.config.json'),
      weights: join(folder, 'a.model.safetensors'),
    };
    await writeFile(files.config, JSON.stringify(hub));
    await writeTensors(files.weights, hubTensors(config));
    for (const opened of [
      openCheckpoint(join(folder, 'a')),
      openCheckpointFiles({ config: files.config, weights: [files.weights] }),
    ]) {
      const checkpoint = await opened;
      expect(checkpoint.config).toEqual(config);
      await checkpoint.close();
    }
  });

  test('a missing weights file is named', async () => {
    const folder = await temporaryDirectory();
    await writeFile(join(folder, 'a.config.json'), JSON.stringify(hub));
    expect(await problemOf(join(folder, 'a'))).toContain('a.model.safetensors: no such file');
  });
});

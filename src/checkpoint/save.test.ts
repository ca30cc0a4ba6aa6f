import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { randomParameters, temporaryDirectory } from '../../test/support/checkpoint.ts';
import { tinyConfig } from '../../test/tiny-config.ts';
import { UserError } from '../errors.ts';
import type { ModelConfig } from '../model/config.ts';
import type { Checkpoint } from './checkpoint.ts';
import { openFileSource } from './file-source.ts';
import { openCheckpoint } from './load.ts';
import { SafetensorsFile } from './safetensors.ts';
import { type ParameterData, saveCheckpoint } from './save.ts';

const f32 = { dtype: 'f32' } as const;

async function open<Result>(path: string, use: (checkpoint: Checkpoint) => Promise<Result>) {
  const checkpoint = await openCheckpoint(path);
  try {
    return await use(checkpoint);
  } finally {
    await checkpoint.close();
  }
}

/** Expects a checkpoint of this config and these weights, each within `tolerance` of its size. */
async function expectSaved(
  path: string,
  config: ModelConfig,
  parameters: ParameterData[],
  tolerance = 0,
): Promise<void> {
  await open(path, async (checkpoint) => {
    expect(checkpoint.config).toEqual(config);
    for (const { spec, data } of parameters) {
      const found = await checkpoint.readParameter(spec);
      expect(found.length, spec.name).toBe(data.length);
      const far = found.findIndex(
        (value, i) => Math.abs(value - data[i]!) > tolerance * Math.abs(data[i]!),
      );
      expect(far, spec.name).toBe(-1);
    }
  });
}

describe('what is saved opens as the same model', () => {
  test('one file', async () => {
    const path = join(await temporaryDirectory(), 'new', 'model');
    const config = tinyConfig();
    const parameters = randomParameters(config);
    await saveCheckpoint(path, config, parameters, f32);
    expect(await readdir(path)).toEqual(['config.json', 'model.safetensors']);
    await expectSaved(path, config, parameters);
    const json = JSON.parse(await readFile(join(path, 'config.json'), 'utf8'));
    expect(json).toMatchObject({ model_type: 'mimo_v2_flash', torch_dtype: 'float32' });
  });

  test('shards and their index, parameters given in any order and asynchronously', async () => {
    const path = join(await temporaryDirectory(), 'model');
    const config = tinyConfig();
    const parameters = randomParameters(config);
    async function* backwards() {
      yield* parameters.toReversed();
    }
    await saveCheckpoint(path, config, backwards(), { ...f32, maxShardBytes: 10_000 });
    const names = await readdir(path);
    const shards = names.filter((name) => /^model-\d{5}-of-\d{5}\.safetensors$/.test(name));
    expect(shards.length).toBeGreaterThan(3);
    expect(names.filter((name) => !shards.includes(name))).toEqual([
      'config.json',
      'model.safetensors.index.json',
    ]);
    const index = JSON.parse(await readFile(join(path, 'model.safetensors.index.json'), 'utf8'));
    const numbers = parameters.reduce((sum, { data }) => sum + data.length, 0);
    expect(index.metadata.total_size).toBe(4 * numbers);
    expect([...new Set(Object.values(index.weight_map))].toSorted()).toEqual(shards);
    await expectSaved(path, config, parameters);
  });

  test.each([
    1e9, 10_000,
  ])('MTP blocks in a file of their own, shards of %i bytes', async (most) => {
    const path = join(await temporaryDirectory(), 'model');
    const config = tinyConfig();
    const parameters = randomParameters(config);
    const options = { ...f32, mtpInOwnFile: true, maxShardBytes: most };
    await saveCheckpoint(path, config, parameters, options);
    await expectSaved(path, config, parameters);
    const file = await SafetensorsFile.open(
      await openFileSource(join(path, 'model_mtp.safetensors')),
    );
    const names = [...file.tensors.keys()];
    await file.close();
    expect(names.length).toBeGreaterThan(0);
    expect(names.every((name) => name.startsWith('model.mtp.layers.'))).toBe(true);
  });

  test('tied embeddings have no lm_head', async () => {
    const path = join(await temporaryDirectory(), 'model');
    const config = tinyConfig({ tieWordEmbeddings: true, mtpHeads: 0 });
    const parameters = randomParameters(config);
    await saveCheckpoint(path, config, parameters, f32);
    await expectSaved(path, config, parameters);
    expect(await open(path, async (checkpoint) => checkpoint.has('lm_head.weight'))).toBe(false);
  });

  test('shared experts', async () => {
    const path = join(await temporaryDirectory(), 'model');
    const config = tinyConfig();
    config.experts.shared = 2;
    const parameters = randomParameters(config);
    await saveCheckpoint(path, config, parameters, f32);
    await expectSaved(path, config, parameters);
  });

  test.each([
    ['f16', 'F16', 2 ** -11],
    ['bf16', 'BF16', 2 ** -8],
  ] as const)('%s, with the router in float32', async (dtype, stored, tolerance) => {
    const path = join(await temporaryDirectory(), 'model');
    const config = tinyConfig();
    // Away from zero, where half floats have fewer digits.
    const parameters = randomParameters(config).map(({ spec, data }) => ({
      spec,
      data: data.map((value) => value + Math.sign(value) * 0.01),
    }));
    await saveCheckpoint(path, config, parameters, { dtype });
    await expectSaved(path, config, parameters, tolerance);
    const isRouter = ({ spec }: ParameterData) => /\.mlp\.gate\./.test(spec.name);
    await expectSaved(path, config, parameters.filter(isRouter));
    await open(path, async (checkpoint) => {
      const { dtype: router } = checkpoint.info('model.layers.1.mlp.gate.weight');
      const { dtype: bias } = checkpoint.info('model.layers.1.mlp.gate.e_score_correction_bias');
      const { dtype: expert } = checkpoint.info('model.layers.1.mlp.experts.0.gate_proj.weight');
      expect([router, bias, expert]).toEqual(['F32', 'F32', stored]);
    });
  });
});

describe('saving over a checkpoint', () => {
  test('keeps its other files, drops its weights, and writes the files given', async () => {
    const path = join(await temporaryDirectory(), 'model');
    const config = tinyConfig();
    await saveCheckpoint(path, config, randomParameters(config, 1), {
      ...f32,
      maxShardBytes: 10_000,
      mtpInOwnFile: true,
      files: { 'tokenizer.json': 'first', 'state.bin': Uint8Array.of(1) },
    });
    await writeFile(join(path, 'README.md'), 'mine');
    const second = randomParameters(config, 2);
    await saveCheckpoint(path, config, second, {
      ...f32,
      files: {
        'tokenizer.json': 'second',
        'optimizer.safetensors': (file) => writeFile(file, 'written in place'),
      },
    });
    await expectSaved(path, config, second);
    expect(await readdir(path)).toEqual([
      'README.md',
      'config.json',
      'model.safetensors',
      'optimizer.safetensors',
      'state.bin',
      'tokenizer.json',
    ]);
    expect(await readFile(join(path, 'tokenizer.json'), 'utf8')).toBe('second');
    expect(await readFile(join(path, 'README.md'), 'utf8')).toBe('mine');
  });
});

describe('what cannot be saved leaves the last checkpoint as it was', () => {
  const config = tinyConfig();
  const good = randomParameters(config, 1);
  const withNumber = (number: number) =>
    good.map((parameter, index) => {
      if (index !== 5) return parameter;
      return { ...parameter, data: parameter.data.with(3, number) };
    });
  const name = good[5]!.spec.name;

  test.each([
    [Number.NaN, 'f32', `${name} holds NaN at element 3; training diverged`],
    [Infinity, 'f16', `${name} holds Infinity at element 3; training diverged`],
    [1e6, 'f16', `${name} holds 1000000 at element 3, too large for F16; save as f32`],
  ] as const)('a weight of %d as %s', async (number, dtype, message) => {
    const path = join(await temporaryDirectory(), 'model');
    const save = () => saveCheckpoint(path, config, withNumber(number), { dtype });
    await expect(save()).rejects.toThrow(`cannot save ${path}: ${message}`);
    await expect(save()).rejects.toThrow('nothing was saved');
    await saveCheckpoint(path, config, good, f32);
    await expect(save()).rejects.toThrow('the previous checkpoint is intact');
    await expect(save()).rejects.toThrow(UserError);
    await expectSaved(path, config, good);
    expect(await readdir(join(path, '..'))).toEqual(['model']);
  });

  test('parameters that are missing, foreign, repeated or misshapen', async () => {
    const path = join(await temporaryDirectory(), 'model');
    await saveCheckpoint(path, config, good, f32);
    const [first, second, ...rest] = good as [ParameterData, ParameterData, ...ParameterData[]];
    const foreign = { ...first, spec: { ...first.spec, name: 'other.weight' } };
    const short = { ...first, data: first.data.slice(1) };
    const save = (parameters: ParameterData[]) => saveCheckpoint(path, config, parameters, f32);
    await expect(save([first, ...rest])).rejects.toThrow('parameters are missing from model');
    await expect(save([foreign, ...rest])).rejects.toThrow('other.weight is not a parameter');
    await expect(save([first, first, ...rest])).rejects.toThrow('is not awaited');
    await expect(save([...good, first])).rejects.toThrow('was given twice');
    await expect(save([short, second, ...rest])).rejects.toThrow('bytes, not');
    await expectSaved(path, config, good);
  });

  test.each([
    'model.safetensors',
    'config.json',
    '../elsewhere',
  ])('a file named %s', async (file) => {
    const path = join(await temporaryDirectory(), 'model');
    const files = { [file]: 'x' };
    await expect(saveCheckpoint(path, config, good, { ...f32, files })).rejects.toThrow(
      `${file} cannot be one of the further files`,
    );
  });
});

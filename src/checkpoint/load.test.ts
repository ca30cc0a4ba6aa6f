import { existsSync } from 'node:fs';
import fs, { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  randomFloats,
  randomParameters,
  temporaryDirectory,
} from '../../test/support/checkpoint.ts';
import { tinyConfig } from '../../test/tiny-config.ts';
import { UserError } from '../errors.ts';
import type { ModelConfig } from '../model/config.ts';
import { toHubConfig } from '../model/hub-config.ts';
import { parameterSpecs } from '../model/parameters.ts';
import { openCheckpoint, openCheckpointFiles } from './load.ts';
import { encodeFloats } from './number-formats.ts';
import type { Dtype } from './safetensors-header.ts';
import { writeSafetensors } from './safetensors-writer.ts';
import { saveCheckpoint } from './save.ts';

interface StoredTensor {
  dtype: Dtype;
  shape: number[];
  bytes: Uint8Array;
}

/** A float32 tensor. */
function stored(shape: number[], values: Float32Array): StoredTensor {
  return { dtype: 'F32', shape, bytes: encodeFloats('F32', values) };
}

type Tensors = Record<string, StoredTensor>;

/** All tensors of a model by their hub names, in float32, to be damaged by a test. */
function hubTensors(config: ModelConfig): Tensors {
  const entries = randomParameters(config).flatMap(({ spec, data }) => {
    const [before, after] = spec.name.split('.experts.');
    if (after === undefined) return [[spec.name, stored(spec.shape, data)] as const];
    const [count, ...shape] = spec.shape as [number, number, number];
    const size = data.length / count;
    return Array.from({ length: count }, (_, expert) => {
      const values = data.subarray(expert * size, (expert + 1) * size);
      return [`${before}.experts.${expert}.${after}`, stored(shape, values)] as const;
    });
  });
  return Object.fromEntries(entries);
}

async function write(path: string, tensors: Tensors): Promise<void> {
  const entries = Object.entries(tensors);
  const layout = entries.map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  await writeSafetensors(
    path,
    layout,
    entries.map(([name, { bytes }]) => [name, bytes]),
  );
}

/** Writes a checkpoint directory by hand, so that anything about it can be wrong. */
async function writeDirectory(
  config: Record<string, unknown>,
  files: Record<string, Tensors>,
): Promise<string> {
  const path = await temporaryDirectory();
  await writeFile(join(path, 'config.json'), JSON.stringify(config));
  for (const [name, tensors] of Object.entries(files)) await write(join(path, name), tensors);
  return path;
}

async function problemOf(path: string): Promise<string> {
  const error = await openCheckpoint(path).then(
    (checkpoint) => checkpoint.close(),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UserError);
  const { message } = error as UserError;
  expect(message).not.toContain('\n');
  return message;
}

const config = tinyConfig({ mtpHeads: 2 });
const hub = toHubConfig(config);

function without(tensors: Tensors, pattern: RegExp): Tensors {
  return Object.fromEntries(Object.entries(tensors).filter(([name]) => !pattern.test(name)));
}

describe('MTP heads', () => {
  test.each([[undefined], [0]])('are counted when the config gives %s', async (heads) => {
    const path = await writeDirectory(
      { ...hub, num_nextn_predict_layers: heads },
      { 'model.safetensors': hubTensors(config) },
    );
    const checkpoint = await openCheckpoint(path);
    expect(checkpoint.config).toEqual(config);
    await checkpoint.close();
  });

  test('are found in a file of their own', async () => {
    const all = hubTensors(config);
    const path = await writeDirectory(
      { ...hub, num_nextn_predict_layers: undefined },
      {
        'model.safetensors': without(all, /\.mtp\./),
        'model_mtp.safetensors': without(all, /^(?!model\.mtp\.)/),
      },
    );
    const checkpoint = await openCheckpoint(path);
    expect(checkpoint.config.mtpHeads).toBe(2);
    await checkpoint.close();
  });

  test('fewer in the config than in the files is a choice', async () => {
    const path = await writeDirectory(
      { ...hub, num_nextn_predict_layers: 1 },
      { 'model.safetensors': hubTensors(config) },
    );
    const checkpoint = await openCheckpoint(path);
    expect(checkpoint.config.mtpHeads).toBe(1);
    await checkpoint.close();
  });

  test('more in the config than in the files is an error', async () => {
    const path = await writeDirectory(
      { ...hub, num_nextn_predict_layers: 3 },
      { 'model.safetensors': hubTensors(config) },
    );
    expect(await problemOf(path)).toContain(
      'num_nextn_predict_layers is 3, but the files have 2 MTP heads',
    );
  });
});

describe('tensors and config that do not belong together', () => {
  const sink = 'model.layers.1.self_attn.attention_sink_bias';
  const expert = 'model.layers.1.mlp.experts.2.up_proj.weight';
  const extra = stored([1], Float32Array.of(0));

  test.each<[string, (tensors: Tensors) => Tensors, string]>([
    [
      'a missing tensor',
      (all) => without(all, /^model\.norm/),
      '"model.norm.weight" of shape [16]',
    ],
    ['a missing expert', (all) => without(all, /experts\.2\.up/), `tensor "${expert}" of shape`],
    ['a missing lm_head', (all) => without(all, /lm_head/), 'tensor "lm_head.weight" of shape'],
    [
      'a misshapen tensor',
      (all) => ({ ...all, [expert]: stored([16, 8], new Float32Array(128)) }),
      `tensor "${expert}" has shape [16,8], but config.json asks for [8,16]`,
    ],
    [
      'one more dimension',
      (all) => ({ ...all, [sink]: stored([4, 1], new Float32Array(4)) }),
      `tensor "${sink}" has shape [4,1], but config.json asks for [4]`,
    ],
    [
      'a sink that the config does not have',
      (all) => ({ ...all, 'model.layers.0.self_attn.attention_sink_bias': extra }),
      'tensor "model.layers.0.self_attn.attention_sink_bias" has no place in the model',
    ],
    [
      'more layers',
      (all) => ({ ...all, 'model.layers.3.input_layernorm.weight': extra }),
      'tensor "model.layers.3.input_layernorm.weight" has no place in the model',
    ],
    [
      'fused query, key and value',
      (all) => ({ ...all, 'model.layers.0.self_attn.qkv_proj.weight': extra }),
      'fuses query, key and value, which is not supported',
    ],
  ])('%s', async (_, change, message) => {
    const path = await writeDirectory(hub, { 'model.safetensors': change(hubTensors(config)) });
    const problem = await problemOf(path);
    expect(problem).toContain(message);
    expect(problem.startsWith(path)).toBe(true);
  });

  test('a tensor in two files', async () => {
    const all = hubTensors(config);
    const path = await writeDirectory(hub, {
      'model.safetensors': all,
      'model_mtp.safetensors': without(all, /^(?!model\.mtp\.)/),
    });
    expect(await problemOf(path)).toMatch(
      /is in .*model\.safetensors too; remove one of the files/,
    );
  });

  test('buffers and the head of a tied model are let be', async () => {
    const tied = tinyConfig({ mtpHeads: 0, tieWordEmbeddings: true });
    const path = await writeDirectory(toHubConfig(tied), {
      'model.safetensors': {
        ...hubTensors(tinyConfig({ mtpHeads: 0 })),
        'model.layers.0.self_attn.rotary_emb.inv_freq': extra,
      },
    });
    const checkpoint = await openCheckpoint(path);
    expect(checkpoint.config).toEqual(tied);
    await checkpoint.close();
  });
});

describe('numbers', () => {
  test.each([Number.NaN, Infinity])('%d in a weight is found when it is read', async (number) => {
    const all = hubTensors(config);
    const name = 'model.layers.1.mlp.experts.3.down_proj.weight';
    all[name] = stored([16, 8], randomFloats(128, 1).with(77, number));
    const path = await writeDirectory(hub, { 'model.safetensors': all });
    const checkpoint = await openCheckpoint(path);
    const spec = parameterSpecs(config).find(
      (one) => one.name === 'model.layers.1.mlp.experts.down_proj.weight',
    )!;
    const message = `model.safetensors: tensor "${name}" holds ${number} at element 77`;
    await expect(checkpoint.readParameter(spec)).rejects.toThrow(message);
    await expect(checkpoint.read(name)).rejects.toThrow(message);
    await checkpoint.close();
  });

  test('a parameter of another shape, and a tensor that is not there, are refused', async () => {
    const path = await writeDirectory(hub, { 'model.safetensors': hubTensors(config) });
    const checkpoint = await openCheckpoint(path);
    const [spec] = parameterSpecs(tinyConfig({ vocabSize: 48 }));
    await expect(checkpoint.readParameter(spec!)).rejects.toThrow('asks for [48,16]');
    await expect(checkpoint.read('other.weight')).rejects.toThrow('"other.weight" is missing');
    expect(checkpoint.has('other.weight')).toBe(false);
    await checkpoint.close();
  });
});

describe('FP8', () => {
  const fp8 = { dtype: 'F8_E4M3' } as const;
  const up = 'model.layers.0.mlp.up_proj.weight';

  async function openWith(changes: Tensors, changed = config) {
    const path = await writeDirectory(toHubConfig(changed), {
      'model.safetensors': { ...hubTensors(changed), ...changes },
    });
    return openCheckpoint(path);
  }

  test('weights are read with their scales', async () => {
    const checkpoint = await openWith({
      // 0x38 is 1.
      [up]: { ...fp8, shape: [24, 16], bytes: new Uint8Array(24 * 16).fill(0x38) },
      [`${up}_scale_inv`]: stored([1, 1], Float32Array.of(0.3)),
    });
    expect(await checkpoint.read(up)).toEqual(new Float32Array(24 * 16).fill(0.3));
    await checkpoint.close();
  });

  test("a global layer that was quantised fused gives the value its key's scales", async () => {
    const attention = { heads: 4, keyValueHeads: 2, headDim: 192, valueHeadDim: 128 };
    const wide = tinyConfig({ mtpHeads: 0 });
    wide.globalAttention = { ...wide.globalAttention, ...attention };
    wide.slidingAttention = { ...wide.slidingAttention, ...attention };
    const prefix = 'model.layers.0.self_attn';
    const ones = (rows: number): StoredTensor => ({
      ...fp8,
      shape: [rows, 16],
      bytes: new Uint8Array(rows * 16).fill(0x38),
    });
    const checkpoint = await openWith(
      {
        [`${prefix}.k_proj.weight`]: ones(384),
        [`${prefix}.k_proj.weight_scale_inv`]: stored([4, 1], Float32Array.of(1, 2, 3, 4)),
        [`${prefix}.v_proj.weight`]: ones(256),
        [`${prefix}.v_proj.weight_scale_inv`]: stored([2, 1], Float32Array.of(5, 6)),
      },
      wide,
    );
    const runs = async (name: string) => {
      const rows = (await checkpoint.read(`${prefix}.${name}.weight`)).filter(
        (_, i) => i % 16 === 0,
      );
      return [...new Set(rows)].map((scale) => [scale, rows.filter((x) => x === scale).length]);
    };
    expect(await runs('k_proj')).toEqual([
      [1, 128],
      [2, 64],
      [3, 128],
      [4, 64],
    ]);
    expect(await runs('v_proj')).toEqual([
      [2, 64],
      [5, 64],
      [4, 64],
      [6, 64],
    ]);
    await checkpoint.close();
  });

  test('scales that are missing or misshapen are refused', async () => {
    const codes: StoredTensor = { ...fp8, shape: [24, 16], bytes: new Uint8Array(24 * 16) };
    const missing = await openWith({ [up]: codes });
    await expect(missing.read(up)).rejects.toThrow(`"${up}_scale_inv" is missing`);
    await missing.close();
    const misshapen = await openWith({
      [up]: codes,
      [`${up}_scale_inv`]: stored([1, 2], Float32Array.of(1, 2)),
    });
    await expect(misshapen.read(up)).rejects.toThrow('_scale_inv" has shape [1,2]');
    await misshapen.close();
    const vector = await openWith({
      'model.norm.weight': { ...fp8, shape: [16], bytes: new Uint8Array(16) },
    });
    await expect(vector.read('model.norm.weight')).rejects.toThrow('only matrices can be FP8');
    await vector.close();
  });

  test('a code that is NaN is found', async () => {
    const checkpoint = await openWith({
      [up]: { ...fp8, shape: [24, 16], bytes: new Uint8Array(24 * 16).with(5, 0x7f) },
      [`${up}_scale_inv`]: stored([1, 1], Float32Array.of(1)),
    });
    await expect(checkpoint.read(up)).rejects.toThrow('holds NaN at element 5');
    await checkpoint.close();
  });
});

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
    await write(files.weights, hubTensors(config));
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

const reference = join(import.meta.dirname, '../../../shared/reference');

test.skipIf(!existsSync(join(reference, 'tiny.config.json')))(
  'the reference model, written by others, opens and every parameter reads',
  async () => {
    const checkpoint = await openCheckpoint(join(reference, 'tiny'));
    expect(checkpoint.config.mtpHeads).toBe(3);
    expect(checkpoint.config.layers).toHaveLength(8);
    for (const spec of parameterSpecs(checkpoint.config)) {
      expect((await checkpoint.readParameter(spec)).some((value) => value !== 0)).toBe(true);
    }
    await checkpoint.close();
  },
);

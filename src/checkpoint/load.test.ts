import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { randomFloats } from '../../test/support/checkpoint.ts';
import {
  hubTensors,
  problemOf,
  stored,
  type Tensors,
  writeDirectory,
} from '../../test/support/hub-tensors.ts';
import { tinyConfig } from '../../test/tiny-config.ts';
import { toHubConfig } from '../model/hub-config.ts';
import { parameterSpecs } from '../model/parameters.ts';
import { openCheckpoint } from './load.ts';

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

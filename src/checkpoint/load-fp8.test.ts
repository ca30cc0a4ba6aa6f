import { describe, expect, test } from 'vitest';
import {
  hubTensors,
  type StoredTensor,
  stored,
  type Tensors,
  writeDirectory,
} from '../../test/support/hub-tensors.ts';
import { tinyConfig } from '../../test/tiny-config.ts';
import { toHubConfig } from '../model/hub-config.ts';
import { openCheckpoint } from './load.ts';

const config = tinyConfig({ mtpHeads: 2 });

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

/** FP8 matrices as they lie in a checkpoint: the scales of their blocks are tensors of their own. */
import { UserError } from '../errors.ts';
import { type AttentionConfig, attentionOf, type ModelConfig } from '../model/config.ts';
import {
  BLOCK,
  type BlockScales,
  dequantizeBlocks,
  fusedKeyScaleRow,
  fusedLayout,
  fusedValueScaleRow,
  type ScaleRow,
  uniformScaleRow,
} from './fp8-blocks.ts';
import type { StoredTensors } from './stored-tensors.ts';

/** @throws UserError when it is no matrix, or its scales are missing or misshapen */
export async function readFp8(
  tensors: StoredTensors,
  config: ModelConfig,
  name: string,
  out: Float32Array,
): Promise<void> {
  const file = tensors.fileOf(name);
  const { shape } = file.info(name);
  const [rows = 0, columns = 0, ...rest] = shape;
  if (columns === 0 || rest.length > 0) {
    throw new UserError(
      `${file.name}: tensor "${name}" is FP8 of shape [${shape}]; only matrices can be FP8`,
    );
  }
  const scaleRow = await scaleRowOf(tensors, config, name, [rows, columns]);
  dequantizeBlocks(await file.readBytes(name), columns, scaleRow, out);
}

async function scaleRowOf(
  tensors: StoredTensors,
  config: ModelConfig,
  name: string,
  [rows, columns]: readonly [number, number],
): Promise<ScaleRow> {
  const [, layer, part] = /^(.+\.self_attn)\.([kv])_proj\.weight$/.exec(name) ?? [];
  const keyName = `${layer}.k_proj.weight`;
  if (layer !== undefined && tensors.has(scaleName(keyName))) {
    const attention = attentionOfLayer(config, layer);
    const keyScales = await readScales(tensors, keyName, columns);
    const layout = fusedLayout(attention, keyScales.rows);
    if (layout && part === 'k') return fusedKeyScaleRow(attention, layout, keyScales);
    if (layout) {
      const scaleRows = attention.keyValueHeads * layout.valueBlocks;
      const valueScales = await readScales(tensors, name, columns, scaleRows);
      return fusedValueScaleRow(attention, layout, keyScales, valueScales);
    }
  }
  return uniformScaleRow(await readScales(tensors, name, columns, Math.ceil(rows / BLOCK)));
}

/** @param expectedRows of scales; any number when absent */
async function readScales(
  tensors: StoredTensors,
  name: string,
  columns: number,
  expectedRows?: number,
): Promise<BlockScales> {
  const tensor = scaleName(name);
  const file = tensors.fileOf(tensor);
  const { shape } = file.info(tensor);
  const expected = [expectedRows ?? shape[0] ?? 0, Math.ceil(columns / BLOCK)];
  tensors.checkShape(tensor, expected);
  return { rows: expected[0]!, columns: expected[1]!, values: await file.readFloats(tensor) };
}

/** @param prefix such as `model.layers.5.self_attn` */
function attentionOfLayer(config: ModelConfig, prefix: string): AttentionConfig {
  const [, layer] = /^model\.layers\.(\d+)\./.exec(prefix) ?? [];
  if (layer === undefined) return config.slidingAttention;
  return attentionOf(config, Number(layer));
}

function scaleName(weight: string): string {
  return `${weight}_scale_inv`;
}

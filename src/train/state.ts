/**
 * Everything that a run needs to go on as if it had never stopped, in one checkpoint: the model in
 * the hub's layout, its tokenizer, and beside them the optimizer's moments and a few counters. Any
 * reader of hub checkpoints can load the directory and will pass over our two files.
 */
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { asUserError } from '../checkpoint/file-errors.ts';
import { openFileSource } from '../checkpoint/file-source.ts';
import { SafetensorsFile } from '../checkpoint/safetensors.ts';
import { writeSafetensors } from '../checkpoint/safetensors-writer.ts';
import { type ParameterData, saveCheckpoint } from '../checkpoint/save.ts';
import { UserError } from '../errors.ts';
import { parameterSpecs } from '../model/parameters.ts';
import type { TrainableModel } from '../model/weights.ts';
import { readFloats } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { AdamW } from './optimizer.ts';

const STATE_FILE = 'trainer.json';
const MOMENTS_FILE = 'optimizer.safetensors';

const natural = z.int().min(0);
/** What products were computed in. Runs from before it could be chosen were in f32. */
const precision = z.enum(['f32', 'mixed']).default('f32');

/** What is known of a run's state, whatever its kind. */
export const anyStateSchema = z.object({ precision });

const stateSchema = z.object({
  /** Optimizer steps taken. */
  step: natural,
  /** Tokens trained on. */
  tokens: natural,
  /** Time spent training, in seconds, over all the run's processes. */
  seconds: z.number().min(0),
  precision,
  data: z.object({
    stream: z.array(natural),
    waiting: z.array(z.object({ source: natural, index: natural, offset: natural })),
  }),
  /** Hashes of what the file sources hold, in the config's order; empty texts for tasks. */
  sources: z.array(z.string()),
  /** The run's config as it was parsed; a run is resumed only with the same. */
  config: z.record(z.string(), z.unknown()),
});

export type TrainerState = z.infer<typeof stateSchema>;

/**
 * Saves a checkpoint, whole or not at all, with float32 weights.
 *
 * @param textFiles tokenizer and chat template: contents by file name
 * @param state what the run's own kind reads back, as JSON
 * @throws UserError when the disk refuses or a weight is not finite
 */
export async function saveTraining(
  directory: string,
  model: TrainableModel,
  optimizer: AdamW,
  textFiles: Record<string, string>,
  state: object,
): Promise<void> {
  await saveCheckpoint(directory, model.config, parametersOf(model), {
    dtype: 'f32',
    files: {
      ...textFiles,
      [STATE_FILE]: `${JSON.stringify(state)}\n`,
      [MOMENTS_FILE]: (path) => writeMoments(path, model, optimizer),
    },
  });
}

export function readState(directory: string): Promise<TrainerState> {
  return readStateAs(stateSchema, directory);
}

/**
 * The state of a run of some kind, as `schema` has it.
 *
 * @throws UserError when the directory holds no state of such a run, or a damaged one
 */
export async function readStateAs<State>(
  schema: z.ZodType<State>,
  directory: string,
): Promise<State> {
  const path = join(directory, STATE_FILE);
  const text = await fs.readFile(path, 'utf8').catch((error) => {
    throw asUserError(error, `cannot read ${path}`);
  });
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new UserError(
      `${path}: is damaged; remove ${directory} to go on from an earlier one or, if it is of another ` +
        'kind of run, choose another output',
      { cause: error },
    );
  }
}

/** @throws UserError when the moments are missing, damaged, or another model's */
export async function loadMoments(
  directory: string,
  model: TrainableModel,
  optimizer: AdamW,
): Promise<void> {
  const path = join(directory, MOMENTS_FILE);
  const file = await SafetensorsFile.open(await openFileSource(path));
  try {
    for (const { name, tensor } of namedMoments(optimizer)) {
      const { shape } = file.info(name);
      if (String(shape) !== String(tensor.shape)) {
        throw new UserError(`${path}: "${name}" is [${shape}] and not [${tensor.shape}]`);
      }
      model.device.write(tensor.storage, tensor.byteOffset, await file.readFloats(name));
    }
  } finally {
    await file.close();
  }
}

async function* parametersOf({
  device,
  config,
  parameters,
}: TrainableModel): AsyncGenerator<ParameterData> {
  for (const spec of parameterSpecs(config)) {
    yield { spec, data: await readFloats(device, parameters.get(spec.name)!) };
  }
}

async function writeMoments(
  path: string,
  { device }: TrainableModel,
  optimizer: AdamW,
): Promise<void> {
  const moments = [...namedMoments(optimizer)];
  const layout = moments.map(({ name, tensor }) => ({
    name,
    dtype: 'F32' as const,
    shape: [...tensor.shape],
  }));
  async function* contents(): AsyncGenerator<[string, Uint8Array]> {
    for (const { name, tensor } of moments) {
      yield [name, await device.read(tensor.storage, tensor.byteOffset, tensor.byteLength)];
    }
  }
  await writeSafetensors(path, layout, contents());
}

function* namedMoments(optimizer: AdamW): Generator<{ name: string; tensor: Tensor }> {
  for (const { spec, first, second } of optimizer.moments) {
    yield { name: `first.${spec.name}`, tensor: first };
    yield { name: `second.${spec.name}`, tensor: second };
  }
}

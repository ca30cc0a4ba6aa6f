import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { openFileSource } from '../checkpoint/file-source.ts';
import { openCheckpoint } from '../checkpoint/load.ts';
import { SafetensorsFile } from '../checkpoint/safetensors.ts';
import { UserError } from '../errors.ts';

const scalarsSchema = z.object({
  loss: z.number(),
  mtp_losses: z.array(z.number()),
  mtp_loss_weight: z.number(),
  total: z.number(),
  grad_norm: z.number(),
  adamw: z.object({
    lr: z.number(),
    betas: z.tuple([z.number(), z.number()]),
    eps: z.number(),
    weight_decay: z.number(),
    clip: z.number(),
  }),
});

/**
 * What another implementation computed for a small model: `<prefix>.model.safetensors` and
 * `.config.json`, its outputs in `.expected.safetensors`, its gradients in `.grads.safetensors`, and
 * losses and optimizer settings in `.scalars.json`.
 */
export interface Fixture {
  checkpoint: Checkpoint;
  expected: SafetensorsFile;
  gradients: SafetensorsFile;
  scalars: z.infer<typeof scalarsSchema>;
  close(): Promise<void>;
}

/** @throws UserError naming the file that is missing or damaged */
export async function openFixture(prefix: string): Promise<Fixture> {
  const scalars = await readScalars(`${prefix}.scalars.json`);
  const open = async (name: string) =>
    SafetensorsFile.open(await openFileSource(`${prefix}.${name}.safetensors`));
  const checkpoint = await openCheckpoint(prefix);
  const expected = await open('expected');
  const gradients = await open('grads');
  return {
    checkpoint,
    expected,
    gradients,
    scalars,
    async close() {
      await Promise.all([checkpoint, expected, gradients].map((file) => file.close()));
    },
  };
}

async function readScalars(path: string): Promise<Fixture['scalars']> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    throw new UserError(`${path}: cannot be read; give the prefix of a fixture, such as dir/tiny`);
  }
  try {
    return scalarsSchema.parse(JSON.parse(text));
  } catch (error) {
    const reason =
      error instanceof z.ZodError
        ? error.issues.map(({ path: at, message }) => `${at.join('.')}: ${message}`)[0]
        : 'it is not JSON';
    throw new UserError(`${path}: ${reason}; the fixture is damaged or of another form`);
  }
}

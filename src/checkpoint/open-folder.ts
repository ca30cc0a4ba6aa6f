/**
 * Opens a model's files wherever they lie, on disk or behind an address. Nothing here knows Node, so
 * that a browser opens a checkpoint as the command line does.
 */
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { parseHubConfig, parseQuantizedBits } from '../model/hub-config.ts';
import type { ByteSource } from './byte-source.ts';
import { Checkpoint } from './checkpoint.ts';
import { SafetensorsFile } from './safetensors.ts';
import { CONFIG_FILE, INDEX_FILE, MTP_FILE, WEIGHTS_FILE } from './shards.ts';

/** The files of one model. */
export interface ModelFolder {
  /** Where it is, for messages. */
  readonly name: string;
  /** The names of all files. */
  list(): Promise<readonly string[]>;
  /** @throws UserError when the file cannot be read */
  open(file: string): Promise<ByteSource>;
}

/** Gives an open file. */
export type OpenFile = () => Promise<ByteSource>;

/**
 * Opens a checkpoint in the hub's layout: `config.json`, `model.safetensors` or an index and its
 * shards, perhaps `model_mtp.safetensors`. Reads headers only. `close` it when done.
 *
 * @throws UserError in one line when anything is missing, damaged, or does not belong together
 */
export async function openFolder(folder: ModelFolder): Promise<Checkpoint> {
  const names = await folder.list();
  if (!names.includes(CONFIG_FILE)) {
    throw new UserError(`${folder.name}: has no ${CONFIG_FILE}, so it is not a checkpoint`);
  }
  const index = names.includes(WEIGHTS_FILE) ? null : await readIndex(folder, names);
  const weights = new Set(index ? Object.values(index) : [WEIGHTS_FILE]);
  if (names.includes(MTP_FILE)) weights.add(MTP_FILE);
  return openParts(
    () => folder.open(CONFIG_FILE),
    [...weights].map((name) => () => folder.open(name)),
  );
}

/** The same from its config and its weights files, whatever they are called. */
export async function openParts(
  config: OpenFile,
  weights: readonly OpenFile[],
): Promise<Checkpoint> {
  const { name, value } = await readJson(config);
  const parsed = parseHubConfig(value, name);
  const bits = parseQuantizedBits(value, name);
  const opened: SafetensorsFile[] = [];
  try {
    for (const open of weights) opened.push(await SafetensorsFile.open(await open()));
    return new Checkpoint(name, parsed, opened, bits);
  } catch (error) {
    for (const file of opened) await file.close();
    throw error;
  }
}

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/** Tensor name to file name. */
async function readIndex(
  folder: ModelFolder,
  names: readonly string[],
): Promise<Record<string, string>> {
  if (!names.includes(INDEX_FILE)) {
    throw new UserError(
      `${folder.name}: has neither ${WEIGHTS_FILE} nor ${INDEX_FILE}; download the weights`,
    );
  }
  const { name: path, value } = await readJson(() => folder.open(INDEX_FILE));
  const result = indexSchema.safeParse(value);
  if (!result.success) {
    throw new UserError(`${path}: weight_map must give a file name for each tensor`);
  }
  const { weight_map: files } = result.data;
  for (const file of new Set(Object.values(files))) {
    if (/[/\\]/.test(file) || !file.endsWith('.safetensors')) {
      throw new UserError(`${path}: weight_map names "${file}", not a weights file beside it`);
    }
    if (!names.includes(file)) {
      throw new UserError(`${path}: weight_map names ${file}, which is missing; download it`);
    }
  }
  return files;
}

async function readJson(open: OpenFile): Promise<{ name: string; value: unknown }> {
  const source = await open();
  const { name } = source;
  try {
    const text = new TextDecoder().decode(await source.read(0, source.byteLength));
    return { name, value: JSON.parse(text) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // The reason may quote the text, line breaks and all.
    const reason = error.message.replaceAll(/\s+/g, ' ');
    throw new UserError(`${name}: is not JSON (${reason}); correct it or download it again`);
  } finally {
    await source.close();
  }
}

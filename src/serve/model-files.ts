/**
 * `GET /model/…`: the model's own files, for a page that runs it in its tab. Only what a checkpoint
 * consists of is given, by name; nothing else that lies in the folder.
 */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Context } from 'hono';
import { findCheckpoint } from '../checkpoint/checkpoint-directory.ts';
import type { FileList } from '../checkpoint/http-folder.ts';
import { CONFIG_FILE, INDEX_FILE } from '../checkpoint/shards.ts';
import { textFileNames } from '../text/text-files.ts';
import type { ServerContext } from './context.ts';
import { ApiError } from './errors.ts';

const plainFiles: ReadonlySet<string> = new Set([CONFIG_FILE, INDEX_FILE, ...textFileNames]);

/** `GET /model/files.json` */
export function listModelFiles({ modelName, modelPath }: ServerContext) {
  return async (c: Context): Promise<Response> => {
    const directory = await findCheckpoint(modelPath);
    const names = (await readdir(directory)).filter(isModelFile);
    const files = await Promise.all(
      names.map(async (name) => ({ name, bytes: (await stat(join(directory, name))).size })),
    );
    const list: FileList = { model: modelName, files };
    return c.json(list);
  };
}

/** `GET /model/:file` */
export function modelFile({ modelPath }: ServerContext) {
  return async (c: Context): Promise<Response> => {
    const name = c.req.param('file')!;
    const directory = await findCheckpoint(modelPath);
    const known = isModelFile(name) && (await readdir(directory)).includes(name);
    if (!known) throw new ApiError('not-found', `the model has no file ${JSON.stringify(name)}`);
    const path = join(directory, name);
    const stream = createReadStream(path, { signal: c.req.raw.signal });
    return c.body(Readable.toWeb(stream) as ReadableStream<Uint8Array<ArrayBuffer>>, 200, {
      'content-type': 'application/octet-stream',
      'content-length': String((await stat(path)).size),
      'cache-control': 'no-cache',
    });
  };
}

function isModelFile(name: string): boolean {
  return plainFiles.has(name) || /^[^/\\]+\.safetensors$/.test(name);
}

/** The server over the engine and the model that ships, with a context that is soon full, on one thread. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadInferenceModel } from '../../src/checkpoint/load-model.ts';
import { createDevice } from '../../src/device/create-device.ts';
import type { EngineOptions } from '../../src/engine/engine-options.ts';
import { Vocabulary } from '../../src/grammar/vocabulary.ts';
import { EngineService } from '../../src/serve/engine-service.ts';
import { type RunningServer, startServer } from '../../src/serve/server.ts';
import { shippedModel } from '../../src/shipped-model.ts';
import type { TextFiles } from '../../src/text/text-files.ts';
import { loadTextFiles } from '../../src/text/tokenizer-files.ts';

export interface RealServer {
  engine: EngineService;
  server: RunningServer;
  text: TextFiles;
  /** Of the model. */
  directory: string;
  close(): Promise<void>;
}

/** Calls itself `tiny`; its weights are `first`. */
export async function startRealServer({
  weightsRoot = null,
  ...limits
}: EngineOptions & { weightsRoot?: string | null } = {}): Promise<RealServer> {
  const device = await createDevice('wasm', { threads: 1 });
  const text = await loadTextFiles(shippedModel);
  const directory = await shortContextModel();
  const load = (path: string) => loadInferenceModel(device, path);
  const options = {
    ...limits,
    vocabSize: text.tokenizer.vocabSize,
    vocabulary: new Vocabulary(text.tokenizer),
  };
  const engine = new EngineService(await load(directory), 'first', options, load);
  const server = await startServer({
    engine,
    text,
    modelName: 'tiny',
    modelPath: directory,
    weightsRoot,
  });
  return {
    engine,
    server,
    text,
    directory,
    async close() {
      await server.close();
      await engine.release();
      await device.destroy();
      await rm(directory, { recursive: true });
    },
  };
}

async function shortContextModel(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mimoflash-model-'));
  await cp(shippedModel, directory, { recursive: true });
  const path = join(directory, 'config.json');
  const config = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...config, max_position_embeddings: 1024 }));
  return directory;
}

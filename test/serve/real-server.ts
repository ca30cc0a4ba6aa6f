/** The server over the engine and the model that ships, on one thread. */
import { loadModel } from '../../src/checkpoint/load-model.ts';
import { createDevice } from '../../src/device/create-device.ts';
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
  close(): Promise<void>;
}

/** Calls itself `tiny`; its weights are `first`. */
export async function startRealServer(weightsRoot: string | null = null): Promise<RealServer> {
  const device = await createDevice('wasm', { threads: 1 });
  const text = await loadTextFiles(shippedModel);
  const load = (directory: string) => loadModel(device, directory);
  const options = {
    vocabSize: text.tokenizer.vocabSize,
    vocabulary: new Vocabulary(text.tokenizer),
  };
  const engine = new EngineService(await load(shippedModel), 'first', options, load);
  const modelPath = shippedModel;
  const server = await startServer({ engine, text, modelName: 'tiny', modelPath, weightsRoot });
  return {
    engine,
    server,
    text,
    async close() {
      await server.close();
      await engine.release();
      await device.destroy();
    },
  };
}

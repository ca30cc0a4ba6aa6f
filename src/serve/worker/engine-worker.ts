/** The worker that an engine runs in: told which model and device, it opens them and answers requests. */
import { findCheckpoint } from '../../checkpoint/checkpoint-directory.ts';
import { loadInferenceModel } from '../../checkpoint/load-model.ts';
import { createDevice } from '../../device/create-device.ts';
import { connectToParent } from '../../device/wasm/platform.ts';
import { Vocabulary } from '../../grammar/vocabulary.ts';
import { loadTextFiles } from '../../text/tokenizer-files.ts';
import { EngineService } from '../engine-service.ts';
import { EngineHost } from './engine-host.ts';
import { type FromEngine, type Post, sentError, type ToEngine } from './messages.ts';
import type { StartMessage } from './start-engine.ts';

let host: EngineHost | null = null;

const post: Post<FromEngine> = connectToParent((message) => {
  if (host) host.receive(message as ToEngine);
  else void start(message as StartMessage);
});

async function start(message: StartMessage): Promise<void> {
  try {
    const { device: name, threads, model, version, options } = message;
    const device = await createDevice(name, threads === undefined ? {} : { threads });
    try {
      const notice = (line: string) => post({ type: 'notice', line });
      const load = (directory: string) => loadInferenceModel(device, directory, notice);
      const { tokenizer } = await loadTextFiles(await findCheckpoint(model));
      const text = { vocabSize: tokenizer.vocabSize, vocabulary: new Vocabulary(tokenizer) };
      const engine = new EngineService(await load(model), version, { ...options, ...text }, load);
      const release = async () => {
        await engine.release();
        await device.destroy();
      };
      host = new EngineHost(engine, release, post);
      host.ready(device.description);
    } catch (error) {
      await device.destroy();
      throw error;
    }
  } catch (error) {
    post({ type: 'not-started', error: sentError(error) });
  }
}

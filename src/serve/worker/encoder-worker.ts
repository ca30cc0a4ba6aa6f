/** The thread of an `Encoder`: given texts, it answers with their ids. */
import { parentPort, workerData } from 'node:worker_threads';
import { textFilesFrom } from '../../text/text-files.ts';
import type { EncodeTask } from './encoder.ts';

const { tokenizer } = textFilesFrom(workerData, 'the model that is served');

parentPort!.on('message', ({ texts, limit }: EncodeTask) => {
  // Of a word longer than the limit there may be millions more than show that, to be copied there.
  const idsOf = (text: string) => tokenizer.encode(text, limit).slice(0, limit + 1);
  const lists = texts.map((text) => Int32Array.from(idsOf(text)));
  parentPort!.postMessage(
    lists,
    lists.map(({ buffer }) => buffer),
  );
});

/** A thread that makes samples of tasks: told which, it answers with that sample. */
import { parentPort, workerData } from 'node:worker_threads';
import { FAMILIES } from '../tasks/index.ts';
import { textFilesFrom } from '../text/text-files.ts';
import type { SampleReference } from './sample-stream.ts';
import { taskSource } from './task-source.ts';
import type { SentOptions, TaskWorkerData, TaskWorkerReply } from './task-workers.ts';

const { sources, files } = workerData as TaskWorkerData;
const text = textFilesFrom(files, 'the tokenizer of the run');
const opened = sources.map((options) => taskSource(received(options), text));

parentPort!.on('message', async (reference: SampleReference) => {
  const { source, index } = reference;
  const reply = await opened[source]!.sample(index).then(
    (sample): TaskWorkerReply => ({ reference, sample }),
    (error: unknown): TaskWorkerReply => ({ reference, error }),
  );
  const parts = 'sample' in reply ? [reply.sample.tokens.buffer, reply.sample.weights.buffer] : [];
  parentPort!.postMessage(reply, parts as ArrayBuffer[]);
});

function received({ mixture, ...options }: SentOptions) {
  const families = mixture.families.map(({ name, weight }) => ({
    family: FAMILIES.find((family) => family.name === name)!,
    weight,
  }));
  return { ...options, mixture: { ...mixture, families } };
}

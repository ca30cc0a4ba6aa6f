/**
 * Loaded into the threads of a server by `serve-load.ts`: every ten seconds, each that computes or
 * serves collects its garbage and writes what is left, in bytes, to a file of its own. Resident memory
 * alone says little: how far a heap may grow before it is collected is V8's decision.
 */
import { appendFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { threadId } from 'node:worker_threads';

const directory = process.env.LIVE_MEMORY!;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

setInterval(() => {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  appendFileSync(`${directory}/${threadId}`, `${heapUsed + external}\n`);
}, 10_000).unref();

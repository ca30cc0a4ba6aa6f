/**
 * The server with the shipped model under load, in a process of its own.
 *
 *   node bench/serve-load.ts [seconds] [streams]
 *
 * By default two minutes of 64 streams of mixed lengths, of which every fifth is left in the middle;
 * every twentieth request is oversized or malformed. Each stream is compared with what it is alone.
 * Ends with code 1 if one differs, if memory grows after the first quarter, or if the shutdown is not
 * clean.
 */
import { applyLoad } from '../test/serve/load.ts';
import { startServe } from '../test/serve/serve-process.ts';

const [seconds = 120, streams = 64] = process.argv.slice(2).map(Number);
const shutdownSeconds = 10;
/** Growth of the largest resident memory, from the second quarter to the last, that is noise. */
const growthAllowed = 1.1;

const server = await startServe(['--shutdown-timeout', String(shutdownSeconds)]);
const report = await applyLoad(server.url, { seconds, streams, seed: 1 });

const begin = performance.now();
const code = await server.end();
const shutdown = (performance.now() - begin) / 1000;

const waits = report.firstToken.sort((a, b) => a - b);
const share = (part: number) => waits[Math.floor((waits.length - 1) * part)]!.toFixed(3);
const quarter = Math.floor(report.memory.length / 4);
const early = Math.max(...report.memory.slice(quarter, 2 * quarter));
const late = Math.max(...report.memory.slice(-quarter));
const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

console.log(`${report.finished} streams whole, ${report.left} left, ${report.refused} refused`);
console.log(`${report.mistakes.length} mistakes`);
console.log(
  `first piece after ${share(0.5)} s (median), ${share(0.99)} s (99 %), ${share(1)} s (most)`,
);
console.log(`${Math.round(report.tokens / seconds)} pieces/s`);
console.log(`memory ${mib(early)} in the second quarter, ${mib(late)} in the last`);
console.log(`ended with code ${code} in ${shutdown.toFixed(1)} s`);
for (const mistake of report.mistakes.slice(0, 3)) console.error(mistake);

const isGood =
  report.mistakes.length === 0 &&
  late <= early * growthAllowed &&
  code === 0 &&
  shutdown <= shutdownSeconds + 1;
process.exitCode = isGood ? 0 : 1;

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
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyLoad } from '../test/serve/load.ts';
import { startServe } from '../test/serve/serve-process.ts';

const [seconds = 120, streams = 64] = process.argv.slice(2).map(Number);
const shutdownSeconds = 10;
/** As they are started. */
const threads = ['the server', 'the engine', 'long texts'];
/** Growth from the second quarter to the last that is noise: of what is alive, and of resident memory. */
const allowed = { live: 1.05, resident: 1.15 };

const folder = await mkdtemp(join(tmpdir(), 'mimoflash-load-'));
const probe = new URL('live-memory.ts', import.meta.url);
const server = await startServe(['--shutdown-timeout', String(shutdownSeconds)], {
  NODE_OPTIONS: `--import ${probe}`,
  LIVE_MEMORY: folder,
});
const report = await applyLoad(server.url, { seconds, streams, seed: 1 });

const begin = performance.now();
const code = await server.end();
const shutdown = (performance.now() - begin) / 1000;

const live = await Promise.all(
  (await readdir(folder)).sort().map(async (name) => {
    const lines = (await readFile(join(folder, name), 'utf8')).trim().split('\n');
    return quarters(lines.map(Number));
  }),
);
await rm(folder, { recursive: true });
const resident = quarters(report.memory);

const waits = report.firstToken.sort((a, b) => a - b);
const share = (part: number) => waits[Math.floor((waits.length - 1) * part)]!.toFixed(3);

console.log(`${report.finished} streams whole, ${report.left} left, ${report.refused} refused`);
console.log(`${report.mistakes.length} mistakes`);
console.log(
  `first piece after ${share(0.5)} s (median), ${share(0.99)} s (99 %), ${share(1)} s (most)`,
);
console.log(`${Math.round(report.tokens / seconds)} pieces/s`);
console.log('memory in the second quarter and in the last, at most:');
live.forEach((memory, i) => {
  console.log(`  alive in the thread of ${threads[i]}: ${write(memory)}`);
});
console.log(`  resident: ${write(resident)}`);
console.log(`ended with code ${code} in ${shutdown.toFixed(1)} s`);
for (const mistake of report.mistakes.slice(0, 3)) console.error(mistake);

const isGood =
  report.mistakes.length === 0 &&
  live.length === threads.length &&
  live.every(({ early, late }) => late <= early * allowed.live) &&
  resident.late <= resident.early * allowed.resident &&
  code === 0 &&
  shutdown <= shutdownSeconds + 1;
process.exitCode = isGood ? 0 : 1;

interface Quarters {
  early: number;
  late: number;
}

function quarters(bytes: readonly number[]): Quarters {
  const quarter = Math.floor(bytes.length / 4);
  return {
    early: Math.max(...bytes.slice(quarter, 2 * quarter)),
    late: Math.max(...bytes.slice(-quarter)),
  };
}

function write({ early, late }: Quarters): string {
  return `${(early / 2 ** 20).toFixed(1)} MiB, ${(late / 2 ** 20).toFixed(1)} MiB`;
}

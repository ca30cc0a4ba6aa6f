// Builds what npm does not carry: the wasm device's kernels (AssemblyScript → two .wasm files, with
// and without relaxed SIMD), dist/, and in it the page. With --wasm only the kernels, with --page only
// the page.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const assembly = 'src/device/wasm/assembly';
const output = 'src/device/wasm/build';

const builds = {
  simd: ['--enable', 'simd', '--enable', 'threads'],
  relaxed: ['--enable', 'simd', '--enable', 'threads', '--enable', 'relaxed-simd'],
};

/** Runs a program of a package in a process of its own (asc would read our --wasm as its own). */
function run(packageName, program, parameters) {
  const file = join(dirname(require.resolve(`${packageName}/package.json`)), 'bin', program);
  const { status, error } = spawnSync(process.execPath, [file, ...parameters], {
    cwd: root,
    stdio: 'inherit',
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${packageName} reported errors`);
}

function buildWasm() {
  mkdirSync(join(root, output), { recursive: true });
  for (const [name, features] of Object.entries(builds)) {
    // Renamed into place, so that a process that starts meanwhile never reads half a file.
    const unfinished = `${output}/${name}-${process.pid}.tmp`;
    run('assemblyscript', 'asc.js', [
      `${assembly}/index.ts`,
      ...['--outFile', unfinished],
      ...['--runtime', 'stub', '--optimizeLevel', '3', '--shrinkLevel', '0', '--noAssert'],
      ...['--importMemory', '--noExportMemory', '--sharedMemory'],
      ...['--initialMemory', '1', '--maximumMemory', '65536'],
      ...features,
    ]);
    renameSync(join(root, unfinished), join(root, output, `${name}.wasm`));
  }
}

function buildTypeScript() {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  run('typescript', 'tsc', ['-p', 'tsconfig.build.json']);
  cpSync(join(root, output), join(root, 'dist/device/wasm/build'), { recursive: true });
}

function buildPage() {
  run('vite', 'vite.js', ['build', 'web', '--logLevel', 'warn']);
}

try {
  const only = process.argv.find((argument) => argument.startsWith('--'));
  if (only !== '--page') buildWasm();
  if (only === undefined) buildTypeScript();
  if (only !== '--wasm') buildPage();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

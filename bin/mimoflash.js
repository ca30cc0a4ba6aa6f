#!/usr/bin/env node
// Starts the program. On a Node older than 22.3 it hands over to the one that comes with the package
// (an optional dependency, so that nothing but npm has to be installed first).
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const oldest = [22, 3];
const [major, minor] = process.versions.node.split('.').map(Number);

if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) {
  await import('../dist/cli/main.js');
} else {
  const node = bundledNode();
  if (!node) {
    console.error(
      `mimoflash needs Node ${oldest.join('.')} or later, and this is ${process.version}: update Node, or run npm install with optional dependencies`,
    );
    process.exit(1);
  }
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
}

function bundledNode() {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const require = createRequire(import.meta.url);
  for (const name of [`node-${platform}-${process.arch}`, `node-bin-${platform}-${process.arch}`]) {
    try {
      const folder = dirname(require.resolve(`${name}/package.json`));
      const path = join(folder, 'bin', platform === 'win' ? 'node.exe' : 'node');
      if (existsSync(path)) return path;
    } catch {
      // Not the package of this platform.
    }
  }
  return null;
}

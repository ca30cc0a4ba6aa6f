import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Builds the page anew, so that what is tested is what the sources say. */
export default function buildPage(): void {
  const script = fileURLToPath(new URL('../../scripts/build.js', import.meta.url));
  execFileSync(process.execPath, [script, '--page'], { stdio: 'inherit' });
}

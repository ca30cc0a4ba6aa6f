/** Where a Chromium is, and how tests start it. */
import { existsSync } from 'node:fs';

const places = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** @throws Error where there is none: nothing is downloaded */
export function findChromium(): string {
  const path = process.env.CHROMIUM ?? places.find((place) => existsSync(place));
  if (path) return path;
  throw new Error('no Chromium to test in: install it (Debian: chromium), or set CHROMIUM=<path>');
}

export const chromiumArguments = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  // Pages cannot ask for it, but it makes the software adapter many times as fast.
  '--enable-dawn-features=disable_workgroup_init',
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];

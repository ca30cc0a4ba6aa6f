/**
 * The devices in a real browser: `npm run test:browser`. It needs a Chromium, which is not downloaded:
 * Debian's package chromium is one, and it brings the software adapter too.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';

const places = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];
const executablePath = process.env.CHROMIUM ?? places.find((path) => existsSync(path));
if (!executablePath) {
  throw new Error('no Chromium to test in: install it (Debian: chromium), or set CHROMIUM=<path>');
}

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  server: {
    // Without these two a page may not share memory with its workers, as the device wasm does.
    headers: {
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    },
  },
  test: {
    include: ['test/browser/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // One page at a time: each of them keeps both cores busy.
    fileParallelism: false,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({
        launchOptions: {
          executablePath,
          args: [
            '--enable-unsafe-webgpu',
            '--use-webgpu-adapter=swiftshader',
            // Pages cannot ask for it, but it makes the software adapter many times as fast.
            '--enable-dawn-features=disable_workgroup_init',
            ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
          ],
        },
      }),
      instances: [{ browser: 'chromium' }],
    },
  },
});

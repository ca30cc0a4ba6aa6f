/**
 * The devices in a real browser: `npm run test:browser`. It needs a Chromium, which is not downloaded:
 * Debian's package chromium is one, and it brings the software adapter too.
 */
import { fileURLToPath } from 'node:url';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { chromiumArguments, findChromium } from './chromium.ts';

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
          executablePath: findChromium(),
          args: chromiumArguments,
        },
      }),
      instances: [{ browser: 'chromium' }],
    },
  },
});

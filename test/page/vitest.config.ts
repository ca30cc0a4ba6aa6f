/** The page, as it is built, in a real browser: the second half of `npm run test:browser`. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/page/*.test.ts'],
    globalSetup: 'test/page/build-page.ts',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
    // The page asks its server every few seconds.
    expect: { poll: { timeout: 15_000 } },
  },
});

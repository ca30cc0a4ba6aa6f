/** The page in which a person talks to the model: built by Vite into `dist/web`, served from memory. */
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Hono } from 'hono';

/** Path on the server to what is there. */
export type Page = ReadonlyMap<string, { bytes: Uint8Array<ArrayBuffer>; type: string }>;

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/** The sources and dist/ lie beside one another. */
const folder = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../dist/web' : '../web', import.meta.url),
);

/**
 * Nothing from elsewhere and nothing inline, whatever a model writes; and, with the last three,
 * memory that the page's threads may share.
 */
const pageHeaders = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
};

/** `null` if it has not been built. */
export async function loadPage(): Promise<Page | null> {
  const names = await readdir(folder, { recursive: true }).catch((): string[] => []);
  if (!names.includes('index.html')) return null;
  const page = new Map<string, { bytes: Uint8Array<ArrayBuffer>; type: string }>();
  for (const name of names) {
    const type = types[extname(name)];
    if (type === undefined) continue;
    const path = name === 'index.html' ? '/' : `/${name.replaceAll(sep, '/')}`;
    page.set(path, { bytes: new Uint8Array(await readFile(join(folder, name))), type });
  }
  return page;
}

export function servePage(app: Hono, page: Page): void {
  for (const [path, { bytes, type }] of page) {
    // Names of assets hold a hash of their contents.
    const cache = path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache';
    app.get(path, (c) =>
      c.body(bytes, 200, { ...pageHeaders, 'content-type': type, 'cache-control': cache }),
    );
  }
}

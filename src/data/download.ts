/**
 * Files by URL, downloaded once: a file is fetched into the cache under a name made from its URL, and
 * is there whole or not at all. It is not asked for again; delete it to have it fetched anew.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AtomicFile } from '../checkpoint/atomic.ts';
import { asUserError } from '../checkpoint/file-errors.ts';
import { UserError } from '../errors.ts';

export function isUrl(location: string): boolean {
  return /^https?:\/\//.test(location);
}

/**
 * @param fetchUrl another way to ask for a URL, for tests
 * @returns where the file is
 * @throws UserError when the server refuses, the network fails or the answer is cut short
 */
export async function download(
  url: string,
  cacheDirectory: string,
  fetchUrl: typeof fetch = fetch,
): Promise<string> {
  const folder = join(cacheDirectory, 'downloads');
  const name = basename(new URL(url).pathname) || 'file';
  const path = join(
    folder,
    `${createHash('sha256').update(url).digest('hex').slice(0, 16)}-${name}`,
  );
  if (await exists(path)) return path;
  await fs.mkdir(folder, { recursive: true }).catch((error) => {
    throw asUserError(error, `cannot make ${folder}`);
  });
  const response = await fetchUrl(url).catch((error) => {
    throw new UserError(`${url}: cannot be reached (${reasonOf(error)}); try again`, {
      cause: error,
    });
  });
  if (!response.ok || response.body === null) {
    throw new UserError(`${url}: the server answers ${response.status}; check the address`);
  }
  const file = await AtomicFile.create(path);
  try {
    let length = 0;
    for await (const bytes of response.body) {
      await file.write(bytes, length);
      length += bytes.byteLength;
    }
    assertWhole(url, response.headers, length);
    await file.commit();
  } catch (error) {
    await file.discard();
    if (error instanceof UserError) throw error;
    throw new UserError(`${url}: the download broke off (${reasonOf(error)}); try again`, {
      cause: error,
    });
  }
  return path;
}

/** A length that is said of packed bytes is not that of what arrives. */
function assertWhole(url: string, headers: Headers, length: number): void {
  const said = headers.get('content-length');
  if (said === null || headers.get('content-encoding') !== null) return;
  if (Number(said) !== length) {
    throw new UserError(`${url}: only ${length} of ${said} bytes arrived; try again`);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function exists(path: string): Promise<boolean> {
  return fs.access(path).then(
    () => true,
    () => false,
  );
}

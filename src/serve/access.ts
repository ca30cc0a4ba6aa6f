/** Who may use the server: clients with a key, and no page that a browser was lured to. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { ApiError } from './errors.ts';

/** Keys, kept as hashes of one length, which are compared in a time that tells nothing. */
export class KeyRing {
  readonly #hashes: readonly Buffer[];

  constructor(keys: readonly string[]) {
    this.#hashes = keys.map(hash);
  }

  has(key: string): boolean {
    const hashed = hash(key);
    return this.#hashes.filter((known) => timingSafeEqual(known, hashed)).length > 0;
  }
}

export function checkAccess({
  keys,
  hosts,
  open,
}: {
  keys: KeyRing | null;
  hosts: ReadonlySet<string> | null;
  /** Paths that need no key: whether the server is there, and the page in which to enter one. */
  open: ReadonlySet<string>;
}): MiddlewareHandler {
  return async (c, next) => {
    // A page of another site may call itself by this machine's address (DNS rebinding), but a
    // browser then still says which name it was asked for.
    if (hosts !== null && !hosts.has(new URL(c.req.url).hostname)) {
      throw new ApiError(
        'permission',
        'the server is bound to this machine and answers to its own name only',
      );
    }
    if (keys !== null && !open.has(c.req.path)) {
      const bearer = /^bearer +(.*)$/i.exec(c.req.header('authorization') ?? '')?.[1];
      const key = bearer ?? c.req.header('x-api-key');
      if (key === undefined || !keys.has(key)) {
        throw new ApiError(
          'authentication',
          key === undefined
            ? 'an API key is needed: send "Authorization: Bearer <key>"'
            : 'the API key is wrong',
          { code: 'invalid_api_key' },
        );
      }
    }
    return next();
  };
}

function hash(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

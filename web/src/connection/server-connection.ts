import { apiKey } from '../preferences.ts';
import type { Connection } from './connection.ts';

/** The server that the page came from. */
export function connectToServer(): Connection {
  return {
    fetch: (path, { body, signal } = {}) =>
      fetch(new URL(path, document.baseURI), {
        ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
        ...(signal !== undefined && { signal }),
        headers: { 'content-type': 'application/json', ...keyHeader() },
      }),
    close: () => {},
  };
}

export function keyHeader(): Record<string, string> {
  return apiKey.value === '' ? {} : { authorization: `Bearer ${apiKey.value}` };
}

/**
 * Where the model runs. Both places speak the server's API, so that nothing else of the page knows
 * which of them it is: over HTTP, or to the same routes in a worker of this tab.
 */
export interface Connection {
  fetch: Fetch;
  /** Ends it and gives its memory back. */
  close(): void;
}

/** `path` without a slash at its beginning: the page may lie in a folder. */
export type Fetch = (path: string, request?: ApiRequest) => Promise<Response>;

export interface ApiRequest {
  /** JSON to post. */
  body?: object;
  signal?: AbortSignal;
}

/** JSON requests to a teacher's server, tried again within limits. */
import type { z } from 'zod';
import { jsonOf } from '../../json.ts';
import { TeacherFailure } from './teacher.ts';

export interface RequestLimits {
  /** How often a request is sent before it counts as failed. Default 3. */
  attempts?: number;
  /** Longest time of one attempt, in seconds. Default 120. */
  timeoutSeconds?: number;
  /** Wait before the second attempt, in seconds; it doubles with each. Default 1. */
  backoffSeconds?: number;
}

export class Requester {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #limits: Required<RequestLimits>;

  constructor({ url, key, ...limits }: RequestLimits & { url: string; key?: string }) {
    this.#url = url.replace(/\/+$/, '');
    this.#headers = {
      'content-type': 'application/json',
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    };
    const { attempts = 3, timeoutSeconds = 120, backoffSeconds = 1 } = limits;
    this.#limits = { attempts, timeoutSeconds, backoffSeconds };
  }

  /**
   * @throws TeacherFailure after the last attempt, or at once if the server refuses the request
   * @throws what `signal` was aborted with
   */
  async post<Schema extends z.ZodType>(
    path: string,
    body: unknown,
    schema: Schema,
    signal?: AbortSignal,
  ): Promise<z.output<Schema>> {
    const { attempts, backoffSeconds } = this.#limits;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(path, body, schema, signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof TeacherFailure)) throw error;
        if (error.reason === 'refused') throw error;
        if (attempt >= attempts) {
          const message = `${error.message} (attempt ${attempt} of ${attempts})`;
          throw new TeacherFailure(error.reason, message, { cause: error });
        }
      }
      await pause(1000 * backoffSeconds * 2 ** (attempt - 1), signal);
    }
  }

  async #once<Schema extends z.ZodType>(
    path: string,
    body: unknown,
    schema: Schema,
    signal: AbortSignal | undefined,
  ): Promise<z.output<Schema>> {
    const { timeoutSeconds } = this.#limits;
    const timeout = AbortSignal.timeout(1000 * timeoutSeconds);
    const where = `teacher ${this.#url}: POST ${path}`;
    let status: number;
    let text: string;
    try {
      const response = await fetch(this.#url + path, {
        method: 'POST',
        headers: this.#headers,
        body: JSON.stringify(body),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      status = response.status;
      text = await response.text();
    } catch (error) {
      if (timeout.aborted) {
        throw new TeacherFailure('timeout', `${where}: no answer in ${timeoutSeconds} s`, {
          cause: error,
        });
      }
      const cause = (error as Error).cause ?? error;
      throw new TeacherFailure('unreachable', `${where}: ${messageOf(cause)}`, { cause: error });
    }
    if (status >= 500 || status === 429 || status === 408) {
      throw new TeacherFailure('unreachable', `${where}: status ${status}: ${firstLine(text)}`);
    }
    if (status >= 400) {
      throw new TeacherFailure('refused', `${where}: status ${status}: ${firstLine(text)}`);
    }
    const parsed = schema.safeParse(jsonOf(text));
    if (!parsed.success) {
      const field = parsed.error.issues[0]!.path.join('.') || 'the answer';
      throw new TeacherFailure('malformed', `${where}: ${field} is not what it should be`);
    }
    return parsed.data;
  }
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!.slice(0, 200);
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Of a refused connection only the code says what it is.
  return error.message || String((error as { code?: unknown }).code);
}

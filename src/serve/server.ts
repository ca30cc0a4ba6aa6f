/** An HTTP server around an engine: listens, and shuts down without dropping what is in work. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { UserError } from '../errors.ts';
import type { TextFiles } from '../text/text-files.ts';
import { KeyRing } from './access.ts';
import { Admission } from './admission.ts';
import { createApp } from './app.ts';
import { type Encode, encodeHere } from './encode.ts';
import type { Page } from './page.ts';
import { ServerMetrics } from './server-metrics.ts';
import type { ServingEngine } from './serving-engine.ts';

export interface ServerOptions {
  engine: ServingEngine;
  text: TextFiles;
  /** Encodes texts; by default at once, which long ones make all others wait for. */
  encode?: Encode;
  modelName: string;
  modelPath: string;
  /** What the engine runs on, for people. */
  device?: string;
  /** The page to serve at `/`; none by default. */
  page?: Page | null;
  /** `127.0.0.1` by default, which only this machine reaches. */
  host?: string;
  /** 0 takes a free one. */
  port?: number;
  /** Without any, everyone is let in. */
  apiKeys?: readonly string[];
  /** Answers waiting or in work; more get status 429. */
  maxRequests?: number;
  /** Longest time of a request. */
  requestSeconds?: number;
  bodyBytes?: number;
  weightsRoot?: string | null;
  /** Directory of training runs to tell of. */
  runs?: string | null;
  /** After so long without an event a stream gets a comment, before a proxy thinks it dead. */
  heartbeatSeconds?: number;
}

export interface RunningServer {
  readonly url: string;
  readonly port: number;
  /** Takes no more requests, gives those in work this long to end, and then ends them. */
  close(seconds?: number): Promise<void>;
}

const loopback = ['127.0.0.1', 'localhost', '[::1]'];
/** A client gets this long to send its whole request. */
const receiveSeconds = 60;

/** @throws {UserError} if the address cannot be listened on. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { engine, text, modelName, modelPath, weightsRoot = null } = options;
  const { host = '127.0.0.1', port = 0, apiKeys = [] } = options;
  const { heartbeatSeconds = 15, device = null, page = null } = options;
  const { encode = encodeHere(text.tokenizer) } = options;
  const { maxRequests = 256, requestSeconds = 600, bodyBytes = 4 << 20 } = options;
  text.tokenizer.assertFits(engine.config);
  const admission = new Admission({ requests: maxRequests, seconds: requestSeconds });
  const context = {
    engine,
    text,
    encode,
    modelName,
    device,
    modelPath,
    weightsRoot,
    heartbeatSeconds,
    admission,
    metrics: new ServerMetrics(),
    startedAt: Math.floor(Date.now() / 1000),
  };
  const app = createApp(context, {
    bodyBytes,
    keys: apiKeys.length > 0 ? new KeyRing(apiKeys) : null,
    hosts: isLoopback(host) ? new Set([...loopback, host]) : null,
    page,
    runs: options.runs ?? null,
  });
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  server.requestTimeout = receiveSeconds * 1000;
  server.headersTimeout = receiveSeconds * 1000;
  await listen(server, host, port);
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `http://${name}:${address.port}`,
    port: address.port,
    async close(seconds = 30) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await admission.close(seconds);
      // Last bytes are still on their way to clients; what keeps a connection beyond is idle.
      const timer = setTimeout(() => server.closeAllConnections(), 1000);
      server.closeIdleConnections();
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Whether an address is this machine's own, which no other machine reaches. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reasons: Record<string, string> = {
        EADDRINUSE: 'is in use; choose another port with --port',
        EADDRNOTAVAIL: 'is no address of this machine; choose another with --host',
        EACCES: 'may not be listened on; choose a port from 1024 with --port',
        ENOTFOUND: 'is not known; choose another address with --host',
      };
      const reason = reasons[error.code ?? ''] ?? `cannot be listened on: ${error.message}`;
      reject(new UserError(`${host}:${port}: ${reason}`, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
}

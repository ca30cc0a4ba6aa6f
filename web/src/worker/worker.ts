/**
 * The model in the tab: the server's own routes over the same engine, with messages in place of HTTP.
 */
import { Hono } from 'hono';
import { z } from 'zod';
import { Admission } from '../../../src/serve/admission.ts';
import type { ServerContext } from '../../../src/serve/context.ts';
import { encodeHere } from '../../../src/serve/encode.ts';
import { EngineService } from '../../../src/serve/engine-service.ts';
import { openAiError, toApiError } from '../../../src/serve/errors.ts';
import { chatCompletions } from '../../../src/serve/openai/chat.ts';
import { serverInfo } from '../../../src/serve/server-info.ts';
import { ServerMetrics } from '../../../src/serve/server-metrics.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { openModel } from './open-model.ts';

// The page's policy forbids to make code out of text.
z.config({ jitless: true });

const post = (message: FromWorker) => postMessage(message);
const aborts = new Map<number, AbortController>();
let app: Promise<Hono>;

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === 'open') {
    app = open(data);
    app.catch((error: unknown) => {
      post({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
    });
  } else if (data.type === 'fetch') {
    void respond(data);
  } else {
    aborts.get(data.id)?.abort();
  }
});

async function open({ device, model, headers }: Extract<ToWorker, { type: 'open' }>) {
  const { name, text, ...opened } = await openModel(new URL(model), device, headers, (share) =>
    post({ type: 'progress', share }),
  );
  const engine = new EngineService(opened.model, name, {
    sequences: 4,
    vocabSize: text.tokenizer.vocabSize,
  });
  const context: ServerContext = {
    engine,
    text,
    encode: encodeHere(text.tokenizer),
    modelName: name,
    modelPath: model,
    device: opened.model.device.description,
    admission: new Admission({ requests: 8, seconds: 3600 }),
    metrics: new ServerMetrics(),
    weightsRoot: null,
    heartbeatSeconds: 15,
    startedAt: Math.floor(Date.now() / 1000),
  };
  return new Hono()
    .post('/v1/chat/completions', chatCompletions(context))
    .get('/server_info', serverInfo(context))
    .onError((error, c) => {
      const api = toApiError(error);
      return c.json(openAiError(api), api.status);
    });
}

async function respond({ id, path, body }: Extract<ToWorker, { type: 'fetch' }>): Promise<void> {
  const routes = await app.catch(() => null);
  if (routes === null) return;
  const controller = new AbortController();
  aborts.set(id, controller);
  try {
    const response = await routes.request(`/${path}`, {
      signal: controller.signal,
      ...(body !== null && { method: 'POST', body: JSON.stringify(body) }),
      headers: { 'content-type': 'application/json' },
    });
    post({ type: 'response', id, status: response.status });
    const reader = response.body!.getReader();
    controller.signal.addEventListener('abort', () => void reader.cancel());
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      post({ type: 'chunk', id, bytes: value });
    }
  } finally {
    aborts.delete(id);
    post({ type: 'end', id });
  }
}

/** The routes, and what all of them have in common: keys, limits, errors, counting. */
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { requestId } from 'hono/request-id';
import { routePath } from 'hono/route';
import { checkAccess, type KeyRing } from './access.ts';
import { clientLeft } from './admission.ts';
import { countTokens, messages } from './anthropic/messages.ts';
import type { ServerContext } from './context.ts';
import { ApiError, anthropicError, openAiError, toApiError } from './errors.ts';
import { listModelFiles, modelFile } from './model-files.ts';
import { chatCompletions } from './openai/chat.ts';
import { completions } from './openai/completions.ts';
import { getModel, listModels } from './openai/models.ts';
import { responses } from './openai/responses.ts';
import { type Page, servePage } from './page.ts';
import { reportError } from './report-error.ts';
import { runRoutes } from './runs.ts';
import { serverInfo } from './server-info.ts';
import { abortRequest, modelInfo, updateWeights } from './sglang/control.ts';
import { generate } from './sglang/generate.ts';
import { detokenize, tokenize } from './tokenize.ts';

export interface AppLimits {
  /** Largest body, in bytes. */
  bodyBytes: number;
  /** Keys of which a client must have one; `null` lets everyone in. */
  keys: KeyRing | null;
  /** Names that a client may call the server by; `null` for any. */
  hosts: ReadonlySet<string> | null;
  /** `null` for none. */
  page: Page | null;
  /** Directory of training runs to tell of; `null` for none. */
  runs: string | null;
}

export function createApp(context: ServerContext, limits: AppLimits): Hono {
  const app = new Hono();

  // Of the client's own choice or a new one, by which its report and our log find each other.
  app.use(requestId());
  app.use(async (c, next) => {
    await next();
    // The second name is Anthropic's; streams have the first only from here.
    for (const name of ['x-request-id', 'request-id']) {
      c.res.headers.set(name, c.get('requestId'));
    }
    // Unknown paths and those of shut-out clients are not told apart: anyone could make up more.
    const route = routePath(c, -1);
    context.metrics.response(route === '/*' ? 'other' : route, c.res.status);
  });
  const open = new Set(['/health', ...(limits.page?.keys() ?? [])]);
  app.use(checkAccess({ ...limits, open }));
  app.use(
    bodyLimit({
      maxSize: limits.bodyBytes,
      onError: () => {
        throw new ApiError('too-large', `the body is larger than ${limits.bodyBytes} bytes`);
      },
    }),
  );

  // A full server says so before it reads and renders what it will not answer.
  const ifThereIsRoom: MiddlewareHandler = (_, next) => {
    context.admission.check();
    return next();
  };
  app.post('/v1/chat/completions', ifThereIsRoom, chatCompletions(context));
  app.post('/v1/completions', ifThereIsRoom, completions(context));
  app.post('/v1/responses', ifThereIsRoom, responses(context));
  app.post('/v1/messages', ifThereIsRoom, messages(context));
  app.post('/generate', ifThereIsRoom, generate(context));
  app.get('/v1/models', listModels(context));
  app.get('/v1/models/:model', getModel(context));
  app.get('/model/files.json', listModelFiles(context));
  app.get('/model/:file', modelFile(context));
  app.post('/v1/messages/count_tokens', countTokens(context));
  app.post('/update_weights_from_disk', updateWeights(context));
  app.post('/abort_request', abortRequest(context));
  app.get('/get_model_info', modelInfo(context));
  app.get('/server_info', serverInfo(context));
  app.post('/tokenize', tokenize(context));
  app.post('/detokenize', detokenize(context));
  app.get('/health', (c) => {
    const { failure } = context.engine;
    if (failure !== null) return c.json({ status: 'failed', reason: failure }, 503);
    if (context.admission.isClosing) return c.json({ status: 'shutting down' }, 503);
    return c.json({ status: 'ok' });
  });
  app.get('/metrics', (c) =>
    c.text(context.metrics.write(context.engine.figures()), 200, {
      'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    }),
  );

  if (limits.runs !== null) app.route('/runs', runRoutes(limits.runs));
  if (limits.page !== null) servePage(app, limits.page);

  app.notFound((c) => {
    const { path, method } = c.req;
    const other = app.routes.find((route) => route.path === path && route.method !== 'ALL');
    if (other === undefined) {
      return respondError(c, new ApiError('not-found', `there is no ${method} ${path}`));
    }
    c.header('allow', other.method);
    return respondError(c, new ApiError('method', `${path} takes ${other.method} only`));
  });
  app.onError((error, c) => {
    const hasLeft = 'code' in error && error.code === 'ECONNRESET';
    return respondError(
      c,
      hasLeft ? clientLeft() : reportError(toApiError(error), c.get('requestId')),
    );
  });
  return app;
}

/** Answers with an error as the API of the route writes it. */
function respondError(c: Context, error: ApiError): Response {
  const written = c.req.path.startsWith('/v1/messages')
    ? { ...anthropicError(error), request_id: c.get('requestId') }
    : openAiError(error);
  if (error.retryAfterSeconds !== null) c.header('retry-after', String(error.retryAfterSeconds));
  if (error.kind === 'authentication') c.header('www-authenticate', 'Bearer');
  return c.json(written, error.status);
}

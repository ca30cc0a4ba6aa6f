/** SGLang's control routes: new weights, aborting, and what the model is. */
import { realpath } from 'node:fs/promises';
import { basename, sep } from 'node:path';
import type { Context } from 'hono';
import { z } from 'zod';
import { UserError } from '../../errors.ts';
import { readBody } from '../body.ts';
import type { ServerContext } from '../context.ts';
import { ApiError, invalid } from '../errors.ts';
import { requireFeature } from '../generation/request.ts';

const only = <Value extends boolean>(value: Value) =>
  z.literal(value, { error: `only ${value} is supported` }).nullish();

const updateSchema = z.strictObject({
  model_path: z.string().min(1),
  weight_version: z.string().min(1).nullish(),
  load_format: z.literal('auto', { error: 'only "auto" is supported' }).nullish(),
  abort_all_requests: z.boolean().nullish(),
  flush_cache: only(true),
  is_async: only(false),
  keep_pause: only(false),
  // There is no such cache and no such graph.
  torch_empty_cache: z.boolean().nullish(),
  recapture_cuda_graph: z.boolean().nullish(),
  // How far the training is, which a name of the weights says too.
  token_step: z.int().nonnegative().nullish(),
});

/** `POST /update_weights_from_disk`; a checkpoint that does not load leaves the present one. */
export function updateWeights(context: ServerContext) {
  return async (c: Context): Promise<Response> => {
    const body = await readBody(c, updateSchema);
    requireFeature(context, 'load-weights', 'model_path', true);
    const path = await allowedPath(context, body.model_path);
    if (body.abort_all_requests) context.admission.abort(null);
    const version = body.weight_version ?? basename(path);
    try {
      await context.engine.loadWeights(path, version);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const message = `${error.message}; the present weights stay`;
      return c.json({ success: false, message, num_paused_requests: 0 }, 400);
    }
    context.modelPath = path;
    const message = `serving ${path} as version ${version}`;
    return c.json({ success: true, message, num_paused_requests: 0 });
  };
}

/** The real path of a checkpoint in the folder that weights may come from. */
async function allowedPath({ weightsRoot }: ServerContext, path: string): Promise<string> {
  if (weightsRoot === null) {
    throw new ApiError(
      'permission',
      'model_path: this server loads no other weights; start it with --weights-root <directory>',
      { field: 'model_path' },
    );
  }
  const [root, real] = await Promise.all([
    realpath(weightsRoot),
    realpath(path).catch(() => {
      throw invalid('model_path', `there is no ${path} on the server`);
    }),
  ]);
  if (real !== root && !real.startsWith(root + sep)) {
    throw new ApiError('permission', `model_path: must be in ${weightsRoot}`, {
      field: 'model_path',
    });
  }
  return real;
}

const abortSchema = z
  .strictObject({ rid: z.string().min(1).nullish(), abort_all: z.boolean().nullish() })
  .refine(({ rid, abort_all }) => rid != null || abort_all === true, {
    path: ['rid'],
    message: 'send the rid of a request, or "abort_all": true',
  });

/** `POST /abort_request`. */
export function abortRequest(context: ServerContext) {
  return async (c: Context): Promise<Response> => {
    const { rid, abort_all } = await readBody(c, abortSchema);
    return c.json({ aborted: context.admission.abort(abort_all ? null : rid!) });
  };
}

/** `GET /get_model_info`. */
export function modelInfo(context: ServerContext) {
  return (c: Context): Response =>
    c.json({
      model_path: context.modelPath,
      tokenizer_path: context.modelPath,
      is_generation: true,
      weight_version: context.engine.weightVersion,
    });
}

/** `GET /v1/models` and `GET /v1/models/{model}`. */
import type { Context } from 'hono';
import type { ServerContext } from '../context.ts';
import { checkModel } from '../generation/request.ts';

export function listModels(context: ServerContext) {
  return (c: Context): Response => {
    const data = [describe(context)];
    const { id } = data[0]!;
    // `has_more` and the ids are Anthropic's.
    return c.json({ object: 'list', data, has_more: false, first_id: id, last_id: id });
  };
}

export function getModel(context: ServerContext) {
  return (c: Context): Response => {
    checkModel(context, c.req.param('model'));
    return c.json(describe(context));
  };
}

/** One object that OpenAI's and Anthropic's clients both read. */
function describe({ modelName, startedAt, engine }: ServerContext) {
  return {
    id: modelName,
    object: 'model',
    created: startedAt,
    owned_by: 'mimoflash',
    max_model_len: engine.contextTokens,
    type: 'model',
    display_name: modelName,
    created_at: new Date(startedAt * 1000).toISOString(),
  };
}

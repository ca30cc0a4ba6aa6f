/** `GET /server_info`: what a page about the server shows. */
import type { Context } from 'hono';
import { describeModel } from '../model/describe.ts';
import type { ServerContext } from './context.ts';

export function serverInfo(context: ServerContext) {
  const { engine, startedAt } = context;
  return (c: Context): Response => {
    const figures = engine.figures();
    const { layers, cache, parameters } = describeModel(engine.config, figures.cacheType);
    return c.json({
      model: context.modelName,
      device: context.device,
      weight_version: engine.weightVersion,
      max_model_len: engine.contextTokens,
      mtp_heads: engine.config.mtpHeads,
      parameters: parameters.trunk + parameters.mtp,
      features: [...engine.features],
      started_at: startedAt,
      requests: context.admission.count,
      engine: figures,
      cache: {
        global_layers: layers.global,
        sliding_layers: layers.sliding + layers.mtp,
        global_bytes_per_token: cache.globalBytesPerToken,
        sliding_bytes: cache.slidingBytes,
        window: cache.window,
        all_global_bytes_per_token: cache.allGlobalBytes / cache.context,
      },
    });
  };
}

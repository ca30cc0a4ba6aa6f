import type { AssistantMessage } from '../chat/message.ts';
import type { CacheSizes, ServerInfo } from '../connection/server-info.ts';
import { texts } from '../preferences.ts';
import { formatBytes, formatNumber } from './numbers.ts';

interface MemoryProperties {
  answer: AssistantMessage | null;
  info: ServerInfo;
}

/** Keys and values of a chat by kind of layer, against a model whose layers all keep everything. */
export function MemoryFigures({ answer, info }: MemoryProperties) {
  const text = texts();
  const { cache, max_model_len } = info;
  const length = answer?.figures.contextTokens ?? null;
  return (
    <section aria-labelledby="memory">
      <h2 id="memory">{text.memory}</h2>
      {length !== null && (
        <Comparison cache={cache} tokens={length} label={text.thisChat(formatNumber(length))} />
      )}
      <Comparison
        cache={cache}
        tokens={max_model_len}
        label={text.atTokens(formatNumber(max_model_len))}
      />
      <ul class="key">
        <li data-kind="global">{text.globalLayers(cache.global_layers)}</li>
        <li data-kind="sliding">{text.slidingLayers(cache.sliding_layers, cache.window)}</li>
      </ul>
    </section>
  );
}

function Comparison({
  cache,
  tokens,
  label,
}: {
  cache: CacheSizes;
  tokens: number;
  label: string;
}) {
  const text = texts();
  const global = tokens * cache.global_bytes_per_token;
  const sliding = cache.sliding_bytes * Math.min(1, tokens / cache.window);
  const all = tokens * cache.all_global_bytes_per_token;
  return (
    <div class="comparison">
      <p>
        {label}
        <strong>{text.times(formatNumber(all / (global + sliding), 1))}</strong>
      </p>
      <dl>
        <dt>{text.thisModel}</dt>
        <dd>{formatBytes(global + sliding)}</dd>
      </dl>
      <span class="track" aria-hidden="true">
        <span class="bar" data-kind="global" style={{ width: `${(global / all) * 100}%` }} />
        <span class="bar" data-kind="sliding" style={{ width: `${(sliding / all) * 100}%` }} />
      </span>
      <dl>
        <dt>{text.allGlobal}</dt>
        <dd>{formatBytes(all)}</dd>
      </dl>
      <span class="track" aria-hidden="true">
        <span class="bar" data-kind="all" style={{ width: '100%' }} />
      </span>
    </div>
  );
}

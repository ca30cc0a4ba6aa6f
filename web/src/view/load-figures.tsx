import type { ServerInfo } from '../connection/server-info.ts';
import { texts } from '../preferences.ts';
import { formatBytes, formatNumber } from './numbers.ts';

/** What the engine has to do for everyone who asks it. */
export function LoadFigures({ info }: { info: ServerInfo }) {
  const text = texts();
  const { running, waiting, cachePages, cacheBytes } = info.engine;
  return (
    <section aria-labelledby="load">
      <h2 id="load">{text.load}</h2>
      <dl>
        <dt>{text.running}</dt>
        <dd>{formatNumber(running)}</dd>
        <dt>{text.waiting}</dt>
        <dd>{formatNumber(waiting)}</dd>
        <dt>{text.cachePages}</dt>
        <dd>{text.ofPages(formatNumber(cachePages.used), formatNumber(cachePages.total))}</dd>
        <dt>{text.allocated}</dt>
        <dd>{formatBytes(cacheBytes.global + cacheBytes.sliding)}</dd>
      </dl>
    </section>
  );
}

/**
 * Training runs over HTTP, for a page with their curves:
 *
 *     GET /                                           how each run stands
 *     GET /curves?run=<name>&after=<step>&points=<n>  a run's figures by step, in columns
 */
import { Hono } from 'hono';
import { RunWatcher } from '../watch/watcher.ts';
import { ApiError } from './errors.ts';

const mostPoints = 2000;

export function runRoutes(directory: string): Hono {
  const watcher = new RunWatcher(directory);
  const app = new Hono();
  app.get('/', async (c) => c.json({ runs: await watcher.summaries() }));
  app.get('/curves', async (c) => {
    const run = c.req.query('run') ?? '';
    const after = wholeNumber('after', c.req.query('after') ?? '0');
    const points = wholeNumber('points', c.req.query('points') ?? '500');
    if (points < 2 || points > mostPoints) {
      throw new ApiError('invalid', `points is ${points}: give 2 to ${mostPoints}`);
    }
    const curves = await watcher.curves(run, after, points);
    if (!curves) throw new ApiError('not-found', `there is no run ${JSON.stringify(run)}`);
    return c.json(curves);
  });
  return app;
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new ApiError('invalid', `${name} is not a whole number`);
  return Number(text);
}

/** The curves of a run as plots: its loss or its reward, num-zeros by layer, and the load of the experts. */
import { type Plot, plotSvg } from '../lab/plot.ts';
import type { RunCurves } from '../watch/curves.ts';

/** SVG text by what it shows; what a run did not write is left out. */
export function runPlots({ run, steps }: RunCurves): Record<string, string> {
  const points = (values: readonly (number | null)[]) =>
    values.flatMap((value, i) => (value === null ? [] : [[steps.step[i]!, value] as const]));
  const plot = (what: string, y: Plot['y'], series: Plot['series']): string | null => {
    const drawn = series.filter(({ points: found }) => found.length > 0);
    if (drawn.length === 0) return null;
    return plotSvg({ title: `${run}: ${what}`, x: { label: 'step' }, y, series: drawn });
  };
  const isRewarded = steps.reward.some((reward) => reward !== null);
  const plots: Record<string, string | null> = {
    reward: plot('reward', { label: 'mean outcome', include: 0 }, [
      { name: 'reward', points: points(steps.reward) },
    ]),
    // That of reinforcement learning says little.
    loss: isRewarded
      ? null
      : plot('loss', { label: 'nats a token' }, [
          { name: 'next token', points: points(steps.loss) },
          ...steps.mtpLosses.map((losses, head) => ({
            name: `head ${head + 1}`,
            points: points(losses),
          })),
        ]),
    'num-zeros': plot('num-zeros', { label: 'share of the gradient', include: 0 }, [
      ...steps.zerosByLayer.map((shares, layer) => ({
        name: `layer ${layer}`,
        points: points(shares),
      })),
    ]),
    load: plot('load of the experts', { label: 'distance from the mean load', include: 0 }, [
      { name: 'mean over experts and layers', points: points(steps.meanViolation) },
    ]),
  };
  const drawn = Object.entries(plots).flatMap(([name, svg]) => (svg === null ? [] : [[name, svg]]));
  return Object.fromEntries(drawn);
}

const bars = '▁▂▃▄▅▆▇█';

/** A curve as high as a line of text, from the lowest of its values to the highest. */
export function sparkline(values: readonly number[]): string {
  const finite = values.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const range = high - low || 1;
  return values
    .map((value) => {
      if (!Number.isFinite(value)) return ' ';
      return bars[Math.min(bars.length - 1, Math.floor(((value - low) / range) * bars.length))];
    })
    .join('');
}

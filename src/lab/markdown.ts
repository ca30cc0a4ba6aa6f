/** A Markdown table; numbers are given as texts. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = `|${head.map((_, i) => (i === 0 ? '---' : '---:')).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** A mean and its standard error over seeds. */
export function withError({ mean, error }: { mean: number; error: number }, digits = 3): string {
  return Number.isNaN(error)
    ? mean.toFixed(digits)
    : `${mean.toFixed(digits)} ± ${error.toFixed(digits)}`;
}

export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  const power = Math.min(3, Math.max(0, Math.floor(Math.log10(Math.max(count, 1)) / 3)));
  return `${Number((count / 1000 ** power).toPrecision(3))} ${units[power]}`;
}

export function tokensPerSecond(speed: number): string {
  return `${Math.round(speed).toLocaleString('en')} tokens/s`;
}

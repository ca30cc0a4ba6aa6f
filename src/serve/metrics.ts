/**
 * Counters, gauges and histograms in Prometheus' text format, version 0.0.4.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
type Labels = Record<string, string>;

export class Counter implements MetricSource {
  readonly #values = new Map<string, number>();

  add(count: number, labels: Labels = {}): void {
    const key = writeLabels(labels);
    this.#values.set(key, (this.#values.get(key) ?? 0) + count);
  }

  lines(name: string): string[] {
    return [...this.#values].map(([labels, value]) => `${name}${labels} ${value}`);
  }
}

/** How often a value was at most as large as each of some bounds. */
export class Histogram implements MetricSource {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  /** @param bounds in rising order. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count++;
    this.#bounds.forEach((bound, i) => {
      if (value <= bound) this.#counts[i]!++;
    });
  }

  lines(name: string): string[] {
    const buckets = this.#bounds.map(
      (bound, i) => `${name}_bucket${writeLabels({ le: String(bound) })} ${this.#counts[i]}`,
    );
    return [
      ...buckets,
      `${name}_bucket${writeLabels({ le: '+Inf' })} ${this.#count}`,
      `${name}_sum ${this.#sum}`,
      `${name}_count ${this.#count}`,
    ];
  }
}

export type MetricType = 'counter' | 'gauge' | 'histogram';

export interface MetricSource {
  /** A line for each value there is. */
  lines(name: string): string[];
}

/** One number. */
export function value(number: number): MetricSource {
  return { lines: (name) => [`${name} ${number}`] };
}

/** Numbers that differ in one label. */
export function values(label: string, numbers: Record<string, number>): MetricSource {
  return {
    lines: (name) =>
      Object.entries(numbers).map(
        ([key, number]) => `${name}${writeLabels({ [label]: key })} ${number}`,
      ),
  };
}

/** One metric with its head lines; nothing if it has no values yet. */
export function writeMetric(
  name: string,
  type: MetricType,
  help: string,
  source: MetricSource,
): string {
  const lines = source.lines(name);
  return lines.length === 0
    ? ''
    : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
}

/** `{le="0.1"}`, or nothing. */
function writeLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const escaped = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
    return `${name}="${escaped}"`;
  });
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

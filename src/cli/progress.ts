import pc from 'picocolors';
import type { RunMetrics } from '../train/run.ts';

/** Where progress is written; `process.stderr` is one. */
export interface ProgressOutput {
  isTTY?: boolean;
  write(text: string): unknown;
}

/** Without a terminal, a line is written this often, in seconds. */
const sparseSeconds = 30;

/**
 * How training goes: on a terminal one line that is rewritten at each step, and elsewhere, such as in
 * a log, a line now and then. Notes are lines of their own and stay.
 */
export class TrainingProgress {
  readonly #output: ProgressOutput;
  readonly #steps: number;
  readonly #now: () => number;
  #lastLine = Number.NEGATIVE_INFINITY;
  #secondsPerStep = 0;
  /** Whether the cursor stands behind a line that has not ended. */
  #isLineOpen = false;

  /** @param now milliseconds on some clock */
  constructor(output: ProgressOutput, steps: number, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#steps = steps;
    this.#now = now;
  }

  step(metrics: RunMetrics): void {
    const seconds = metrics.tokens / metrics.tokensPerSecond;
    // A running mean over some ten steps: steady, and soon right when the speed changes.
    this.#secondsPerStep += (seconds - this.#secondsPerStep) * (this.#secondsPerStep ? 0.1 : 1);
    const line = formatStep(metrics, this.#steps, this.#secondsPerStep);
    if (this.#output.isTTY) {
      this.#output.write(`\r\x1b[K${line}`);
      this.#isLineOpen = true;
      return;
    }
    const isDue = this.#now() - this.#lastLine >= sparseSeconds * 1000;
    if (!isDue && metrics.step < this.#steps) return;
    this.#lastLine = this.#now();
    this.#output.write(`${line}\n`);
  }

  note(line: string): void {
    this.#output.write(`${this.#output.isTTY ? '\r\x1b[K' : ''}${line}\n`);
    this.#isLineOpen = false;
  }

  /** Leaves the last line standing. */
  end(): void {
    if (this.#isLineOpen) this.#output.write('\n');
    this.#isLineOpen = false;
  }
}

function formatStep(metrics: RunMetrics, steps: number, secondsPerStep: number): string {
  const { step, loss, mtpLosses, tokensPerSecond, reward } = metrics;
  const left = formatDuration((steps - step) * secondsPerStep);
  const parts = [
    `step ${String(step).padStart(String(steps).length)}/${steps}`,
    reward === undefined ? `loss ${loss.toFixed(4)}` : `reward ${reward.toFixed(3)}`,
    ...(mtpLosses.length > 0 ? [`mtp ${mtpLosses.map((x) => x.toFixed(3)).join(' ')}`] : []),
    `${tokensPerSecond.toFixed(0)} tokens/s`,
    pc.dim(`${left} left`),
  ];
  return parts.join('  ');
}

/** "8s", "4m 10s", "3h 05m". */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  const padded = (value: number) => String(value).padStart(2, '0');
  if (minutes < 60) return `${minutes}m ${padded(whole % 60)}s`;
  return `${Math.floor(minutes / 60)}h ${padded(minutes % 60)}m`;
}

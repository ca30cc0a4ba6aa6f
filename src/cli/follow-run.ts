/** Shows on stderr how a run goes, whatever its kind. */
import pc from 'picocolors';
import { describeModel } from '../model/describe.ts';
import type { TrainableModel } from '../model/weights.ts';
import type { RunEvent } from '../rl/run/pipeline.ts';
import { type ProgressOutput, TrainingProgress } from './progress.ts';
import { describeShards } from './shard-line.ts';

export class RunFollower {
  readonly #progress: TrainingProgress;
  readonly #steps: number;
  /** What was last said of failures, by what failed. */
  readonly #told = new Map<string, string>();

  /** @param steps of the whole run */
  constructor(steps: number, output: ProgressOutput = process.stderr) {
    this.#steps = steps;
    this.#progress = new TrainingProgress(output, steps);
    this.#note(pc.dim('preparing the data'));
  }

  show(event: RunEvent): void {
    switch (event.type) {
      case 'start':
        this.#note(pc.dim(describeStart(event, this.#steps)));
        for (const file of 'files' in event ? event.files : []) {
          this.#note(pc.dim(describeShards(file)));
        }
        break;
      case 'step':
        this.#progress.step(event);
        if ('failures' in event) this.#noteFailures('sequences failed', event.step, event.failures);
        break;
      case 'evaluation': {
        const { step, loss, mtpLosses, scores } = event;
        this.#noteFigures(step, { 'held-out loss': loss, ...mtpFigures(mtpLosses), ...scores });
        break;
      }
      case 'accuracy':
        this.#noteFigures(event.step, event.scores);
        this.#noteFailures('problems were not evaluated', event.step, event.failed);
        break;
      case 'warning':
        this.#note(pc.yellow(event.text));
        break;
      case 'checkpoint':
        this.#note(pc.dim(`saved ${event.path}`));
        break;
      case 'finish':
        this.#note(
          event.reason === 'done'
            ? `trained; try: mimoflash chat --model ${event.checkpoint}`
            : `stopped at step ${event.step}; the same command goes on`,
        );
    }
  }

  /** Leaves the last line standing. */
  end(): void {
    this.#progress.end();
  }

  #noteFigures(step: number, figures: Readonly<Record<string, number>>): void {
    const texts = Object.entries(figures).map(([name, value]) => `${name} ${value.toFixed(4)}`);
    this.#note(`step ${step}: ${texts.join(', ')}`);
  }

  /** By reason or source; once, until they are others. */
  #noteFailures(what: string, step: number, counts: Readonly<Record<string, number>>): void {
    const listed = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
    const text = listed.join(', ');
    if (text === '' || text === this.#told.get(what)) return;
    this.#told.set(what, text);
    this.#note(pc.yellow(`step ${step}: ${what}: ${text}`));
  }

  #note(line: string): void {
    this.#progress.note(line);
  }
}

function describeStart(
  { model, step, resumedFrom }: { model: TrainableModel; step: number; resumedFrom: string | null },
  steps: number,
): string {
  const { trunk, active, mtp } = describeModel(model.config).parameters;
  const size = `${millions(trunk)} parameters, ${millions(active)} active, and ${millions(mtp)} of MTP`;
  const from = resumedFrom ? `, from ${resumedFrom}` : '';
  return `${size}; step ${step} of ${steps}${from}`;
}

function mtpFigures(losses: readonly number[]): Record<string, number> {
  return Object.fromEntries(losses.map((loss, head) => [`mtp ${head + 1}`, loss]));
}

function millions(count: number): string {
  return `${(count / 1e6).toPrecision(3)}M`;
}

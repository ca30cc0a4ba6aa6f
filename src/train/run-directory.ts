/**
 * The directory of a run:
 *
 *     metrics.jsonl      one line a step, and one an evaluation
 *     tokenizer/         if the run learnt one
 *     step-000500/       a checkpoint; the newest of a few
 */
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { atomicWriteFile } from '../checkpoint/atomic.ts';
import { asUserError, errorCode } from '../checkpoint/file-errors.ts';
import { CONFIG_FILE } from '../checkpoint/shards.ts';
import { type JsonObject, jsonOf } from '../json.ts';

export const METRICS_FILE = 'metrics.jsonl';

export class RunDirectory {
  readonly path: string;

  /** @throws UserError if the directory cannot be made */
  static async open(path: string): Promise<RunDirectory> {
    await fs.mkdir(path, { recursive: true }).catch((error) => {
      throw asUserError(error, `cannot make ${path}`);
    });
    return new RunDirectory(path);
  }

  private constructor(path: string) {
    this.path = path;
  }

  get tokenizer(): string {
    return join(this.path, 'tokenizer');
  }

  checkpoint(step: number): string {
    return join(this.path, checkpointName(step));
  }

  /** The newest complete checkpoint; `null` if there is none. */
  async newestCheckpoint(): Promise<string | null> {
    for (const directory of await this.#checkpoints()) {
      const names = await fs.readdir(directory);
      if (names.includes(CONFIG_FILE)) return directory;
    }
    return null;
  }

  /** Removes all checkpoints but the newest `keep`. */
  async prune(keep: number): Promise<void> {
    for (const directory of (await this.#checkpoints()).slice(keep)) {
      await fs.rm(directory, { recursive: true, force: true });
    }
  }

  /** @throws UserError if the disk refuses */
  async appendMetrics(line: object): Promise<void> {
    const path = join(this.path, METRICS_FILE);
    await fs.appendFile(path, `${JSON.stringify(line)}\n`).catch((error) => {
      throw asUserError(error, `cannot write ${path}`);
    });
  }

  /** What has been written, without a last line that was cut off. */
  async readMetrics(): Promise<JsonObject[]> {
    const text = await this.#metricsText();
    return text.split('\n').flatMap((line) => {
      const record = metricsOf(line);
      return record ? [record] : [];
    });
  }

  /** Drops what was written after `step` by a process that did not live to save it. */
  async trimMetrics(step: number): Promise<void> {
    const lines = (await this.#metricsText())
      .split('\n')
      .filter((line) => Number(metricsOf(line)?.step ?? Number.POSITIVE_INFINITY) <= step);
    await atomicWriteFile(join(this.path, METRICS_FILE), lines.map((line) => `${line}\n`).join(''));
  }

  async #metricsText(): Promise<string> {
    const path = join(this.path, METRICS_FILE);
    return await fs.readFile(path, 'utf8').catch((error) => {
      if (errorCode(error) === 'ENOENT') return '';
      throw asUserError(error, `cannot read ${path}`);
    });
  }

  /** The newest first. */
  async #checkpoints(): Promise<string[]> {
    const names = (await fs.readdir(this.path)).filter((name) => /^step-\d+$/.test(name));
    const numberOf = (name: string) => Number(name.slice('step-'.length));
    return names.sort((a, b) => numberOf(b) - numberOf(a)).map((name) => join(this.path, name));
  }
}

/** What a run calls its checkpoint after so many steps. */
export function checkpointName(step: number): string {
  return `step-${String(step).padStart(6, '0')}`;
}

/** A line of metrics; undefined if it was cut off. */
export function metricsOf(line: string): JsonObject | undefined {
  return jsonOf(line) as JsonObject | undefined;
}

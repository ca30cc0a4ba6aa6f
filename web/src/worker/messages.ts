/** What a page and the worker that runs the model in it say to one another. */
import type { TabDevice } from '../preferences.ts';

export type ToWorker =
  /** First: what to run, on what. `headers` go with every file that is asked for. */
  | { type: 'open'; device: TabDevice; model: string; headers: Record<string, string> }
  | { type: 'fetch'; id: number; path: string; body: object | null }
  | { type: 'abort'; id: number };

export type FromWorker =
  /** Share of the model's files that has arrived. */
  | { type: 'progress'; share: number }
  /** The model does not run; nothing comes after it. */
  | { type: 'failed'; message: string }
  | { type: 'response'; id: number; status: number }
  | { type: 'chunk'; id: number; bytes: Uint8Array }
  | { type: 'end'; id: number };

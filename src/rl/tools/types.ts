/**
 * What task logic and rollouts see of tools: something to open, to call and to close. Quotas, rates,
 * warm pools, time-outs and restarts are the business of whoever implements this; `LocalToolbox` does in
 * one process, a queue over many machines could.
 */
import type { Call, ToolSession } from '../../tasks/index.ts';

/** Amounts by the name of a resource, such as `{ containers: 1, memory: 512 }`. */
export type Resources = Readonly<Record<string, number>>;

/** Something with a state, that calls are made in: a shell, a container, a browser. */
export interface Environment extends ToolSession {
  /** Throws when the environment is broken; what the model did wrong is told as output. */
  call(call: Call, signal?: AbortSignal): Promise<string>;
  close(): Promise<void>;
}

/** How often something may be done: `perSecond` in the long run, `burst` at once. */
export interface Rate {
  perSecond: number;
  burst: number;
}

/** One kind of environment, and what may be spent on it. */
export interface EnvironmentKind<Spec> {
  name: string;
  open(spec: Spec, signal: AbortSignal): Promise<Environment>;
  /** Environments of equal keys may stand for each other while they are fresh. */
  key(spec: Spec): string;
  /** Held from opening to closing. */
  needs: Resources;
  /** Of calls. */
  rate?: Rate;
  /** In milliseconds. */
  openTimeout: number;
  callTimeout: number;
  /** How often an environment that failed is opened again, or a call repeated in another one. */
  restarts: number;
  /** Whether the calls before lead a fresh environment to the same state. */
  replays: boolean;
}

export interface LeaseOptions {
  signal?: AbortSignal;
  /** Of those that wait, the highest is served first. */
  priority?: number;
}

export interface EnvironmentPool<Spec> {
  /**
   * Waits for resources, then gives an environment of its own to whoever asks.
   *
   * @throws SequenceFailure of kind `tool` or `tool-timeout`, here and at a call
   */
  open(spec: Spec, options?: LeaseOptions): Promise<Environment>;
  /** Sees to it that `count` fresh ones are open for whoever asks next, as far as resources allow. */
  keepWarm(spec: Spec, count: number): void;
}

/** One kind of work without a state: a reward program, a search, a judge. */
export interface ServiceKind<Input, Output> {
  name: string;
  run(input: Input, signal: AbortSignal): Promise<Output>;
  /** Held while it runs. */
  needs: Resources;
  rate?: Rate;
  /** In milliseconds. */
  timeout: number;
  /** How often it is tried again after it threw. */
  retries: number;
}

export interface Service<Input, Output> {
  /** @throws SequenceFailure of kind `tool` or `tool-timeout`, or as the work throws it */
  run(input: Input, options?: LeaseOptions): Promise<Output>;
}

/** Of one kind, so far. */
export interface ToolFigures {
  /** Environments held or works running. */
  inUse: number;
  waiting: number;
  /** Fresh ones that nobody has asked for yet. */
  warm: number;
  /** How many were asked for, and how many of these were warm. */
  opened: number;
  openedWarm: number;
  calls: number;
  timeouts: number;
  failures: number;
  restarts: number;
  /** Of recent calls, in milliseconds. */
  latency: { median: number; percentile95: number };
}

export interface Toolbox {
  environments<Spec>(kind: EnvironmentKind<Spec>): EnvironmentPool<Spec>;
  service<Input, Output>(kind: ServiceKind<Input, Output>): Service<Input, Output>;
  /** By kind, and of each resource how much there is and how much of it is taken. */
  figures(): {
    kinds: Record<string, ToolFigures>;
    resources: Record<string, { capacity: number; inUse: number }>;
  };
  /** Closes what is open; what waits is refused. */
  close(): Promise<void>;
}

import type { ChatMessage } from '../../text/chat-messages.ts';
import type { FailureKind } from '../sequence-failure.ts';
import type { Trajectory } from '../trajectory.ts';
import type { SchedulerEvent } from './events.ts';
import { count, type PassHistory } from './pass-rates.ts';
import type { PartialRollout, SourceFigures } from './types.ts';

export interface SequenceState {
  id: string;
  attempt: number;
  failures: number;
  /** How often it became too stale. */
  restarts: number;
  stage: 'sample' | 'reward' | 'ready' | 'dropped';
  partial: PartialRollout | null;
  /** From `reward` on; with its reward when it is ready. */
  trajectory: Trajectory | null;
  /** While it is to be rewarded. */
  response: readonly ChatMessage[] | null;
  passed: boolean;
}

export interface GroupState {
  id: string;
  source: string;
  /** Which candidate of its source. */
  index: number;
  /** Kind of its prompt. */
  cell: string;
  /** Groups are numbered as they are begun. */
  order: number;
  isAccepted: boolean;
  /** In a batch that no checkpoint has seen yet. */
  batch: number | null;
  sequences: SequenceState[];
}

export interface SourceState extends SourceFigures {
  /** Of its candidates. */
  next: number;
  /** Groups that count towards its quota. */
  charged: number;
  replacedInARow: number;
  /** By cell, how many of its groups were of use: "passes" are those that were accepted. */
  groups: Record<string, PassHistory>;
}

/** Everything but groups. */
export interface StateSummary {
  seed: number;
  /** Of each source, which say whether it is the same. */
  fingerprints: Record<string, string>;
  version: number;
  begun: number;
  batches: number;
  committed: number;
  sources: Record<string, SourceState>;
  histories: Record<string, PassHistory>;
  /** Whether each of the last attempts failed, oldest first. */
  recent: boolean[];
  failures: Partial<Record<FailureKind, number>>;
  lastFailure: string;
  dropped: number;
  restarted: number;
  replacedInARow: number;
}

export interface SchedulerState {
  summary: StateSummary;
  /** In order: those under way, and those of batches that no checkpoint has seen. */
  groups: Map<string, GroupState>;
}

/** Attempts that are remembered, for the share of failures. */
const RECENT = 2048;

export function newSummary(seed: number, fingerprints: Record<string, string>): StateSummary {
  const source = (): SourceState => ({
    ...{ begun: 0, given: 0, tooHard: 0, tooEasy: 0, tooFew: 0, skipped: 0 },
    ...{ next: 0, charged: 0, replacedInARow: 0, groups: {} },
  });
  return {
    seed,
    fingerprints,
    ...{ version: 0, begun: 0, batches: 0, committed: 0 },
    sources: Object.fromEntries(Object.keys(fingerprints).map((name) => [name, source()])),
    histories: {},
    ...{ recent: [], failures: {}, lastFailure: '' },
    ...{ dropped: 0, restarted: 0, replacedInARow: 0 },
  };
}

/** Events that lead to this state; later changes to it do not change them. */
export function snapshot({ summary, groups }: SchedulerState): SchedulerEvent[] {
  const kept = [...groups.values()].map((group): SchedulerEvent => {
    const sequences = group.sequences.map((sequence) => ({ ...sequence }));
    return { type: 'kept', group: { ...group, sequences } };
  });
  return [{ type: 'state', summary: structuredClone(summary) }, ...kept];
}

/** Changes `state` as the event says. */
export function applyEvent(state: SchedulerState, event: SchedulerEvent): void {
  const { summary, groups } = state;
  switch (event.type) {
    case 'state':
      state.summary = structuredClone(event.summary);
      groups.clear();
      break;
    case 'kept':
      groups.set(event.group.id, event.group);
      break;
    case 'begun': {
      const { source, skipped } = event;
      const group = newGroup(event, summary.begun++);
      groups.set(group.id, group);
      const figures = summary.sources[source]!;
      figures.next = event.index + 1;
      figures.begun++;
      figures.charged++;
      figures.skipped += skipped;
      break;
    }
    case 'accepted': {
      const group = groups.get(event.group)!;
      const figures = summary.sources[group.source]!;
      group.isAccepted = true;
      summary.replacedInARow = 0;
      figures.replacedInARow = 0;
      figures.groups[group.cell] = count(figures.groups[group.cell], true);
      break;
    }
    case 'replaced': {
      const { source, cell } = groups.get(event.group)!;
      const figures = summary.sources[source]!;
      groups.delete(event.group);
      // What failed says nothing about its prompt.
      if (event.reason !== 'tooFew') {
        figures.groups[cell] = count(figures.groups[cell], false);
      }
      figures[event.reason]++;
      figures.replacedInARow++;
      if (!event.charged) figures.charged--;
      summary.replacedInARow++;
      break;
    }
    case 'batch':
      summary.batches = event.number;
      for (const id of event.groups) {
        const group = groups.get(id)!;
        group.batch = event.number;
        summary.sources[group.source]!.given++;
      }
      break;
    case 'committed':
      summary.committed = event.batch;
      for (const { id, batch } of groups.values()) {
        if (batch !== null && batch <= event.batch) groups.delete(id);
      }
      break;
    case 'version':
      summary.version = event.version;
      break;
    case 'reported':
      countFailure(summary, event);
      summary.dropped++;
      break;
    default:
      applyToSequence(state, event);
  }
}

type SequenceEvent = Extract<
  SchedulerEvent,
  { type: 'paused' | 'finished' | 'rewarded' | 'failed' | 'stale' }
>;

function applyToSequence({ summary, groups }: SchedulerState, event: SequenceEvent): void {
  const group = groups.get(groupOf(event.sequence))!;
  const sequence = group.sequences.find(({ id }) => id === event.sequence)!;
  switch (event.type) {
    case 'paused':
      sequence.partial = event.partial;
      break;
    case 'finished': {
      const { trajectory, response } = event;
      Object.assign(sequence, { stage: 'reward', partial: null, trajectory, response });
      break;
    }
    case 'rewarded': {
      const { value, passed } = event.reward;
      const trajectory = { ...sequence.trajectory!, reward: value };
      Object.assign(sequence, { stage: 'ready', trajectory, passed, response: null });
      for (const key of event.histories) {
        summary.histories[key] = count(summary.histories[key], passed);
      }
      remember(summary, false);
      break;
    }
    case 'failed':
      countFailure(summary, event);
      sequence.failures++;
      if (event.then !== 'reward') begin(sequence, event.then);
      if (event.then === 'drop') summary.dropped++;
      break;
    case 'stale':
      group.isAccepted = false;
      // One that was ready is not to blame: it waited for others.
      if (sequence.stage !== 'ready') sequence.restarts++;
      begin(sequence, event.then);
      summary.restarted++;
      if (event.then === 'drop') summary.dropped++;
      break;
  }
}

function groupId(source: string, index: number): string {
  return `${source}.${index}`;
}

/** The group of a sequence, by their ids. */
export function groupOf(sequence: string): string {
  return sequence.slice(0, sequence.lastIndexOf('.'));
}

function newGroup(
  { source, index, cell, size }: Extract<SchedulerEvent, { type: 'begun' }>,
  order: number,
): GroupState {
  const id = groupId(source, index);
  const sequences = Array.from({ length: size }, (_, i): SequenceState => {
    const nothing = { partial: null, trajectory: null, response: null, passed: false };
    const none = { attempt: 0, failures: 0, restarts: 0 };
    return { id: `${id}.${i}`, stage: 'sample', ...none, ...nothing };
  });
  return { id, source, index, cell, order, isAccepted: false, batch: null, sequences };
}

function begin(sequence: SequenceState, then: 'sample' | 'drop'): void {
  const stage = then === 'drop' ? 'dropped' : 'sample';
  const attempt = sequence.attempt + 1;
  Object.assign(sequence, { stage, attempt, partial: null, trajectory: null, response: null });
}

type FailureEvent = Extract<SchedulerEvent, { type: 'failed' | 'reported' }>;

function countFailure(summary: StateSummary, { sequence, kind, message }: FailureEvent): void {
  summary.failures[kind] = (summary.failures[kind] ?? 0) + 1;
  summary.lastFailure = `${sequence}: ${kind}: ${message}`;
  remember(summary, true);
}

function remember({ recent }: StateSummary, failed: boolean): void {
  recent.push(failed);
  if (recent.length > RECENT) recent.shift();
}

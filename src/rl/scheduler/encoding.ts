/** Events as lines of JSON; tokens and their like as base64 of little-endian numbers. */
import type { Routes } from '../routes.ts';
import type { Trajectory } from '../trajectory.ts';
import type { SchedulerEvent } from './events.ts';
import type { SequenceState } from './state.ts';
import type { PartialRollout } from './types.ts';

/** @throws TypeError if what a rollout left in it is no JSON */
export function encodeEvent(event: SchedulerEvent): string {
  switch (event.type) {
    case 'paused':
      return JSON.stringify({ ...event, partial: encodeArrays(event.partial) });
    case 'finished':
      return JSON.stringify({ ...event, trajectory: encodeArrays(event.trajectory) });
    case 'kept': {
      const sequences = event.group.sequences.map((sequence) => ({
        ...sequence,
        partial: sequence.partial && encodeArrays(sequence.partial),
        trajectory: sequence.trajectory && encodeArrays(sequence.trajectory),
      }));
      return JSON.stringify({ ...event, group: { ...event.group, sequences } });
    }
    default:
      return JSON.stringify(event);
  }
}

/** @throws Error of any kind if the line is none of `encodeEvent` */
export function decodeEvent(line: string): SchedulerEvent {
  const event = JSON.parse(line);
  switch (event.type) {
    case 'paused':
      return { ...event, partial: decodeArrays<PartialRollout>(event.partial) };
    case 'finished':
      return { ...event, trajectory: decodeArrays<Trajectory>(event.trajectory) };
    case 'kept': {
      const sequences = (event.group.sequences as Encoded<SequenceState>[]).map((sequence) => ({
        ...sequence,
        partial: sequence.partial && decodeArrays<PartialRollout>(sequence.partial),
        trajectory: sequence.trajectory && decodeArrays<Trajectory>(sequence.trajectory),
      }));
      return { ...event, group: { ...event.group, sequences } };
    }
    default:
      return event;
  }
}

type Arrays = Pick<Trajectory, 'tokens' | 'sampled' | 'logprobs' | 'versions' | 'routes'>;

/** As `Value`, with texts for arrays of numbers. */
type EncodedArrays<Value> = Omit<Value, keyof Arrays> & {
  tokens: string;
  sampled: string;
  logprobs: string;
  versions: string;
  routes: (Omit<Routes, 'experts'> & { experts: string; bytes: number }) | null;
};

type Encoded<Sequence> = Omit<Sequence, 'partial' | 'trajectory'> & {
  partial: EncodedArrays<PartialRollout> | null;
  trajectory: EncodedArrays<Trajectory> | null;
};

function encodeArrays<Value extends Arrays>(value: Value): EncodedArrays<Value> {
  const { tokens, sampled, logprobs, versions, routes } = value;
  return {
    ...value,
    tokens: toText(tokens),
    sampled: toText(sampled),
    logprobs: toText(logprobs),
    versions: toText(versions),
    routes: routes && {
      ...routes,
      experts: toText(routes.experts),
      bytes: routes.experts.BYTES_PER_ELEMENT,
    },
  };
}

function decodeArrays<Value extends Arrays>(value: EncodedArrays<Value>): Value {
  const { tokens, sampled, logprobs, versions, routes } = value;
  const arrays: Arrays = {
    tokens: new Int32Array(toBuffer(tokens)),
    sampled: new Uint8Array(toBuffer(sampled)),
    logprobs: new Float32Array(toBuffer(logprobs)),
    versions: new Int32Array(toBuffer(versions)),
    routes: routes && decodeRoutes(routes),
  };
  return { ...value, ...arrays } as unknown as Value;
}

function decodeRoutes({
  layers,
  perToken,
  experts,
  bytes,
}: NonNullable<EncodedArrays<Trajectory>['routes']>): Routes {
  const buffer = toBuffer(experts);
  return {
    layers,
    perToken,
    experts: bytes === 1 ? new Uint8Array(buffer) : new Uint16Array(buffer),
  };
}

function toText({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

/** A copy of its own, for pooled buffers begin anywhere. */
function toBuffer(text: string): ArrayBuffer {
  return Uint8Array.from(Buffer.from(text, 'base64')).buffer;
}

/** How a person wants the curves drawn, kept in the browser; and where they look, which is not. */
import { signal } from '@preact/signals';
import { storedSignal } from '../stored-signal.ts';
import type { Range } from './lines.ts';

export interface CurveChoices {
  axis: 'steps' | 'tokens';
  /** Whether a run begins where the one before ends. */
  isEndToEnd: boolean;
  isSmooth: boolean;
  isLogarithmic: boolean;
  /** Numbers in place of pictures. */
  asTables: boolean;
}

const usualChoices: CurveChoices = {
  axis: 'steps',
  isEndToEnd: false,
  isSmooth: true,
  isLogarithmic: true,
  asTables: false,
};

export const choices = storedSignal('curves', usualChoices, isChoices);

export function choose(changes: Partial<CurveChoices>): void {
  // Places of one axis mean nothing on another.
  if ('axis' in changes || 'isEndToEnd' in changes) zoom.value = null;
  choices.value = { ...choices.value, ...changes };
}

/** The part of the axis that is shown; `null` for all of it. */
export const zoom = signal<Range | null>(null);

/** The place on the axis that a pointer is at, in any of the pictures. */
export const pointed = signal<number | null>(null);

/** Whether a stretch is being drawn: new figures wait for it, for they would end it. */
export const isDrawing = signal(false);

function isChoices(value: unknown): value is CurveChoices {
  if (typeof value !== 'object' || value === null) return false;
  const { axis, ...switches } = value as Partial<CurveChoices>;
  const { axis: _, ...known } = usualChoices;
  return (
    (axis === 'steps' || axis === 'tokens') &&
    Object.keys(known).every((key) => typeof switches[key as keyof typeof known] === 'boolean')
  );
}

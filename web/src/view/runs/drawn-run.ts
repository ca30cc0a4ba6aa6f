import type { RunHistory } from '../../runs/history.ts';
import type { Axis } from '../../runs/lines.ts';

export interface DrawnRun {
  name: string;
  history: RunHistory;
  colour: string;
  axis: Axis;
  /** How far it goes along the axis. */
  length: number;
}

import type { TextFiles } from '../text/text-files.ts';
import type { Admission } from './admission.ts';
import type { Encode } from './encode.ts';
import type { ServerMetrics } from './server-metrics.ts';
import type { ServingEngine } from './serving-engine.ts';

/** What every route works with. */
export interface ServerContext {
  engine: ServingEngine;
  text: TextFiles;
  /** Encodes what requests send; the tokenizer itself is for what is known to be short. */
  encode: Encode;
  /** What clients call the model. */
  modelName: string;
  /** What it runs on, for people; `null` if nobody said. */
  device: string | null;
  /** Where it was loaded from. */
  modelPath: string;
  admission: Admission;
  metrics: ServerMetrics;
  /** The only folder that weights may be loaded from while serving; `null` for none. */
  weightsRoot: string | null;
  /** Streams in which nothing happens for so long say that they are still there. */
  heartbeatSeconds: number;
  /** Seconds since 1970. */
  startedAt: number;
}

/** What a run's config says about its tools. */
import { z } from 'zod';
import { count, countOrZero, positive } from '../../config-fields.ts';
import type { Resources } from './types.ts';

export const toolsSchema = z.strictObject({
  /** Threads for what models write: shells, functions under test, their verifiers; 0 for the one that trains. */
  threads: countOrZero.default(2),
  /** Sequences that may have tools open at once; left out, all that are sampled. */
  sessions: count.optional(),
  /** How often tools may be called: so many a second in the long run, `burst` at once. */
  rate: z.strictObject({ perSecond: positive, burst: count }).optional(),
  /** Of a call. */
  callTimeoutSeconds: positive.default(10),
  /** How often tools that failed are opened again, and their calls repeated. */
  restarts: countOrZero.default(1),
});

export type ToolsConfig = z.infer<typeof toolsSchema>;

/** What there is of each resource, and what a sequence's tools take of it. */
export function sessionResources({ sessions }: ToolsConfig): { all: Resources; each: Resources } {
  return sessions === undefined
    ? { all: {}, each: {} }
    : { all: { sessions }, each: { sessions: 1 } };
}

import { readInts, type Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { StepAnswer } from './step-outputs.ts';
import type { StepRequest } from './step-request.ts';

/**
 * A step without drafts that the device works on. All that the next step needs of it are its tokens, and
 * those are on the device; so the next can be queued before this one is read, and the device never waits.
 * Every step has to be read, be it in vain.
 */
export interface QueuedStep {
  requests: readonly StepRequest[];
  /** The token that each sequence was given; frees the memory of the step. */
  read(): Promise<StepAnswer[]>;
  /** i32 [S]: the same on the device, until they have been read. */
  drawn: Tensor;
}

/** `scope`: of the step. */
export function queuedStep(
  scope: Scope,
  requests: readonly StepRequest[],
  drawn: Tensor,
): QueuedStep {
  const numbers = readInts(scope.device, drawn);
  // An error is for `read` to throw, which may be called after it has come.
  numbers.catch(() => {});
  return {
    requests,
    async read() {
      try {
        return Array.from(await numbers, (token) => ({ tokens: [token] }));
      } finally {
        scope.close();
      }
    },
    drawn,
  };
}

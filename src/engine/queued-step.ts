import { readInts, type Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { StepRequest } from './decoder.ts';

/**
 * A step that the device works on. What the next step needs of one without drafts are its tokens, and
 * those are on the device; so the next can be queued before this one is read, and the device never waits.
 * Every step has to be read, be it in vain.
 */
export interface QueuedStep {
  requests: readonly StepRequest[];
  /** The tokens that each sequence was given; frees the memory of the step. */
  read(): Promise<number[][]>;
  /** The same on the device until they have been read: i32 [S], and null with drafts. */
  drawn: Tensor | null;
}

/** `chosen`: tokens i32 [S], or with drafts i32 [S, D+2] as by `verifyDrafts`. `scope`: of the step. */
export function queuedStep(
  scope: Scope,
  requests: readonly StepRequest[],
  chosen: Tensor,
): QueuedStep {
  const isDrawn = chosen.shape.length === 1;
  const numbers = readInts(scope.device, chosen);
  // An error is for `read` to throw, which may be called after it has come.
  numbers.catch(() => {});
  return {
    requests,
    async read() {
      try {
        const all = await numbers;
        return isDrawn ? Array.from(all, (token) => [token]) : verified(all, chosen.columns);
      } finally {
        scope.close();
      }
    },
    drawn: isDrawn ? chosen : null,
  };
}

function verified(numbers: Int32Array, width: number): number[][] {
  return Array.from({ length: numbers.length / width }, (_, s) => {
    const [count = 0, ...tokens] = numbers.subarray(s * width, (s + 1) * width);
    return tokens.slice(0, count);
  });
}

/**
 * Generated tokens pass the model again after a request has given its memory back. They do so as they did
 * first, in steps: a prompt's attention sums otherwise, and the last bit can decide how an activation is
 * rounded, and then which token comes next.
 */
import { stepMtpBlock, stepStates, stepTrunk } from '../model/step.ts';
import type { Model } from '../model/weights.ts';
import type { Scope } from '../tensor/scope.ts';
import type { DecoderSequence } from './decoder-sequence.ts';
import type { KeyValuePool } from './key-value-pool.ts';
import {
  countRows,
  layoutOf,
  pageTable,
  type RowRange,
  ringRows,
  ringTable,
  roomyTableWidth,
  tokensOf,
} from './row-ranges.ts';
import { uncertainRows } from './step-plan.ts';
import { upload } from './upload.ts';

/**
 * One step of sequences whose next tokens are known, with as many rows as one that verifies `drafts`. The
 * last token of each is left to the step that goes on.
 */
export function replayStep(
  scope: Scope,
  model: Model,
  pool: KeyValuePool,
  sequences: readonly DecoderSequence[],
  drafts: number,
): void {
  const window = model.config.slidingAttention.window ?? 0;
  const trunk = sequences.map((sequence) => {
    const { length, tokens } = sequence;
    return { sequence, begin: length, end: Math.min(length + drafts + 1, tokens.length - 1) };
  });
  const blocks = Array.from({ length: drafts }, (_, head) =>
    sequences.map((sequence) => knownRows(sequence, head, window)),
  );
  const rowInputs = (ranges: readonly RowRange<DecoderSequence>[], ahead: number) => ({
    tokens: tokensOf(ranges, ahead),
    slidingLayout: layoutOf(ranges, ringTable(ranges)),
    stateRows: ringRows(ranges, pool.ringSize),
  });
  const width = roomyTableWidth(trunk);
  const inputs = upload(scope, {
    trunk: { ...rowInputs(trunk, 0), globalLayout: layoutOf(trunk, pageTable(trunk, width)) },
    blocks: blocks.map((ranges, head) => rowInputs(ranges, 1 + head)),
  });
  for (const [head, { tokens, slidingLayout, stateRows }] of inputs.blocks.entries()) {
    if (countRows(blocks[head]!) === 0) continue;
    const cache = pool.stepCache({ sliding: slidingLayout });
    stepMtpBlock(scope, model, head, tokens, pool.states, stateRows, cache, { count: 0, cache });
  }
  const { tokens, globalLayout, slidingLayout, stateRows } = inputs.trunk;
  const cache = pool.stepCache({ global: globalLayout, width, sliding: slidingLayout });
  const { residual } = stepTrunk(scope, model, tokens, cache);
  if (model.mtp.length > 0) pool.writeStates(stepStates(scope, model, residual), [stateRows]);
  for (const { sequence, begin, end } of trunk) {
    for (let head = 0; head < drafts; head++) {
      sequence.blockLengths[head] = Math.max(sequence.blockLengths[head]!, begin - head);
    }
    sequence.length = end;
  }
}

/** Rows of an MTP block that lack something, and of which the tokens are known. */
function knownRows(
  sequence: DecoderSequence,
  head: number,
  window: number,
): RowRange<DecoderSequence> {
  const { begin, end } = uncertainRows(sequence, head, window);
  return {
    sequence,
    begin,
    end: Math.max(begin, Math.min(end, sequence.tokens.length - 1 - head)),
  };
}

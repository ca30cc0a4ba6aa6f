import type { AttentionShape, Kernels } from '../../../tensor/kernels.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import { type Operand, type Runtime, read, write } from '../runtime.ts';
import { type AttentionPlan, planAttention, runsOfCall } from './attention-plan.ts';

/** A window that hides nothing; small enough that the kernel's sums with positions stay in i32. */
export const noWindow = 2 ** 30;
/** Keys that the kernel works on at once. */
export const keyBlock = 96;
/** Multiply-adds that one thread should take at a time: tens of microseconds. */
export const multiplyGrain = 2 ** 19;

export function attentionKernels(runtime: Runtime): Pick<Kernels, 'attention'> {
  return {
    attention(a) {
      const { past } = a;
      const runs = runsOfCall(
        runtime.ints(a.rowStart),
        past && { lengths: runtime.ints(past.lengths), sequence: runtime.ints(past.sequence) },
      );
      attend(runtime, planAttention(a, runs), a, past && { ...past, width: past.table.columns });
    },
  };
}

/** Rows of this call. */
interface CallRows extends AttentionShape {
  query: Tensor;
  key: Tensor;
  value: Tensor;
  sinks: Tensor | null;
  out: Tensor;
  logSumExp: Tensor;
}

interface HeldRows {
  keys: Tensor;
  values: Tensor;
  pageSize: number;
  table: Tensor;
  width: number;
}

function attend(runtime: Runtime, plan: AttentionPlan, a: CallRows, held: HeldRows | null): void {
  const { heads, keyValueHeads, keyDim, valueDim } = a;
  const group = heads / keyValueHeads;
  const maximumRows = plan.maximumTokens * group;
  const rows = roundUp(maximumRows, 6);
  const paddedValueDim = roundUp(valueDim, 8);
  // Running sums, their totals in f64 and the largest scores; after packed queries, keys, values
  // and the scores of one tile.
  const sumBytes = 4 * (rows * paddedValueDim + 2 * rows + rows);
  const packedBytes = 4 * (rows * keyDim + keyBlock * (keyDim + paddedValueDim + 6));
  const scratchBytes = roundUp(sumBytes + packedBytes, 64);
  const partialBytes = roundUp(sumBytes, 64);
  const scratch = runtime.scratch(runtime.threads * scratchBytes);
  const spans = ints(runtime, plan.spans);
  const partials = runtime.scratch(plan.partialCount * keyValueHeads * partialBytes);

  const sinks = a.sinks ? read(a.sinks) : 0;
  const outputs = [write(a.out), write(a.logSumExp)];
  const spanCount = plan.spans.length / 8;
  const multiplies = (plan.scoreCount * group * (keyDim + valueDim)) / Math.max(1, spanCount);
  runtime.launch(
    'attention',
    [
      ...[read(a.query), read(a.key), read(a.value), sinks, ...outputs],
      ...(held ? [read(held.keys), read(held.values), read(held.table)] : [0, 0, 0]),
      ...[spans, partials, scratch, heads, keyValueHeads, keyDim, valueDim],
      ...[a.scale, a.valueScale, a.window ?? noWindow, held?.pageSize ?? 1, held?.width ?? 1],
      ...[scratchBytes, partialBytes, maximumRows],
    ],
    spanCount * keyValueHeads,
    Math.max(1, Math.floor(multiplyGrain / Math.max(1, multiplies))),
  );

  if (plan.partialCount === 0) return;
  const shape = [heads, keyValueHeads, valueDim, a.valueScale, partialBytes, maximumRows];
  const merging = [partials, ints(runtime, plan.merges), sinks, ...outputs, scratch, ...shape];
  runtime.launch('attentionMerge', merging, (plan.merges.length / 4) * keyValueHeads, 1);
}

function ints(runtime: Runtime, data: Int32Array): Operand {
  const operand = runtime.scratch(data.byteLength);
  runtime.ints(operand.tensor).set(data);
  return operand;
}

export function roundUp(size: number, multiple: number): number {
  return Math.ceil(size / multiple) * multiple;
}

/**
 * Steps of many rows, as reinforcement learning and a busy server have them: 256 sequences with three
 * drafts each are 1,024. The kernels of few rows read a weight again for every eight of these, and the
 * second half of the experts even for every row; tiles read it once for 64 or 128, on matrix units where
 * these may round. So from some number of rows on, kernels that begin with a product are put together
 * from those of prompts and training, which takes several dispatches in place of one.
 */
import type { Device } from '../../../../tensor/device.ts';
import type { FusedKernels } from '../../../../tensor/fused-kernels.ts';
import type { InferenceKernels } from '../../../../tensor/inference-kernels.ts';
import {
  gatherRows,
  groupByExpert,
  groupedLinear,
  groupedSwiglu,
  linear,
  rmsNorm,
  swiglu,
} from '../../../../tensor/ops/index.ts';
import { type Matrix, QuantizedMatrix, trainable } from '../../../../tensor/quantized-matrix.ts';
import { type Scope, within } from '../../../../tensor/scope.ts';
import type { Tensor } from '../../../../tensor/tensor.ts';
import type { Runtime } from '../../runtime.ts';
import { runCombineRows } from '../experts.ts';
import { vectorRows } from '../matmul/vector-product.ts';
import { placeAttentionInputs } from './attention-pairs.ts';
import { isWorthRepeating } from './products.ts';

/** From here on tiles are always taken. */
const manyRows = 1280;

/**
 * Whether a call is better off with tiles, which take `dispatches` more than its kernel of few rows, of
 * which each row reads `bytes`. A tile of up to 128 rows would be mostly empty, and up to there products
 * have no tiles either.
 *
 * In the shipped model (256 columns, 704 of queries, keys and values, 16 experts of 128, of which a token
 * has 4) a row reads 66 KiB in `attentionInputs` and 608 KiB in `addExperts`, so they change at 1,280 and
 * 404 rows; in `small`, with four times the weights, at 372 and 129.
 */
function areMany(rows: number, bytes: number, dispatches: number): boolean {
  if (rows <= vectorRows) return false;
  return rows >= manyRows || !isWorthRepeating(bytes, rows, dispatches);
}

/**
 * Bytes that a row reads of a weight of so many elements, and of its own: a workgroup has eight rows and
 * sixteen columns at a time, and half of it is where its neighbours left it. Unpacking quantised weights
 * takes about the time that reading them saves.
 */
const rowBytes = (elements: number) => 4 * elements * (1 / 8 + 1 / 16) * (1 / 2);

function areInputsMany({ x, weight }: { x: Tensor; weight: Matrix }): boolean {
  return areMany(x.rows, rowBytes(weight.size), 2);
}

/** Sorting takes two to four dispatches, the first half of the experts one to four. */
function areSlotsMany({
  experts,
  gate,
  up,
  down,
}: {
  experts: Tensor;
  gate: Matrix;
  up: Matrix;
  down: Matrix;
}): boolean {
  const share = experts.columns / gate.shape[0]!;
  return areMany(experts.rows, share * (rowBytes(gate.size + up.size) + 4 * down.size), 5);
}

type ManyRowKernels = Pick<
  InferenceKernels<Matrix> & FusedKernels<Matrix>,
  | 'attentionInputs'
  | 'embedAttentionInputs'
  | 'addAttention'
  | 'normGatedProduct'
  | 'addExperts'
  | 'addRoutedExperts'
>;

/** The kernels `few`, but for many rows others in their place. */
export function manyRowKernels(
  runtime: Runtime,
  device: Device,
  few: ManyRowKernels,
  composed: FusedKernels<Matrix>,
): ManyRowKernels {
  return {
    attentionInputs(call) {
      if (!areInputsMany(call)) {
        few.attentionInputs(call);
        return;
      }
      const { x, norm, epsilon, weight } = call;
      within(device, (scope) => {
        const normed = rmsNorm(scope, x, norm, epsilon);
        placeAttentionInputs(runtime, call, linear(scope, normed, weight, { step: true }));
      });
    },

    embedAttentionInputs(call) {
      (areInputsMany(call) ? composed : few).embedAttentionInputs(call);
    },

    addAttention(call) {
      // In one dispatch, every row reads all of the projection.
      const { out, weight } = call;
      (areMany(out.rows, 4 * weight.size, 1) ? composed : few).addAttention(call);
    },

    normGatedProduct(call) {
      const { x, norm, epsilon, gate, up, out } = call;
      if (!areMany(x.rows, rowBytes(gate.size + up.size), 3)) {
        few.normGatedProduct(call);
        return;
      }
      within(device, (scope) => {
        const normed = rmsNorm(scope, x, norm, epsilon);
        const [gated, other] = [gate, up].map((weight) =>
          linear(scope, normed, weight, { step: true }),
        );
        device.kernels.swiglu({ gate: gated!, up: other!, out });
      });
    },

    addExperts(call) {
      if (!areSlotsMany(call)) {
        few.addExperts(call);
        return;
      }
      const { x, experts, weights, gate, up, down, out } = call;
      within(device, (scope) => {
        const groups = groupByExpert(scope, experts, gate.shape[0]!);
        const active = gatedProducts(scope, x, gate, up, groups);
        const source = groupedLinear(scope, active, down, groups.offsets);
        runCombineRows(runtime, { source, rows: groups.rows, weights, out }, 'out');
      });
    },

    addRoutedExperts(call) {
      (areSlotsMany(call) ? composed : few).addRoutedExperts(call);
    },
  };
}

/** silu(x·gateᵀ)·(x·upᵀ) of the rows of each expert, in the order of experts. */
function gatedProducts(
  scope: Scope,
  x: Tensor,
  gate: Matrix,
  up: Matrix,
  groups: ReturnType<typeof groupByExpert>,
): Tensor {
  if (!(gate instanceof QuantizedMatrix)) {
    return groupedSwiglu(scope, x, gate, trainable(up), groups);
  }
  const rows = gatherRows(scope, x, groups.tokens);
  const [gated, other] = [gate, up].map((weight) =>
    groupedLinear(scope, rows, weight, groups.offsets),
  );
  return swiglu(scope, gated!, other!);
}

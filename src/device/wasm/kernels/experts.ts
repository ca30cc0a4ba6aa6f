import type { Kernels } from '../../../tensor/kernels.ts';
import { type Runtime, read, update, write } from '../runtime.ts';
import { addTo } from './elementwise.ts';
import { elementGrain, rowGrain } from './grain.ts';

type ExpertKernels = Pick<
  Kernels,
  | 'selectExperts'
  | 'expertWeights'
  | 'expertWeightsBackward'
  | 'groupByExpert'
  | 'combineRows'
  | 'combineRowsBackward'
  | 'sumRows'
>;

/** What one exponential in f64 costs, in elements of a simple kernel. */
const exponentialCost = 16;

export function expertKernels(runtime: Runtime): ExpertKernels {
  return {
    selectExperts({ logits, bias, groups, selectedGroups, experts }) {
      const [count, perToken] = [logits.columns, experts.columns];
      const choices = runtime.scratch(runtime.threads * (count * 8 + 32));
      const tensors = [read(logits), read(bias), write(experts), choices];
      const args = [...tensors, count, perToken, groups, selectedGroups];
      const grain = rowGrain(count * (exponentialCost + perToken));
      runtime.launch('selectExperts', args, logits.rows, grain);
    },

    expertWeights({ logits, experts, normalize, scale, weights }) {
      const [count, perToken] = [logits.columns, experts.columns];
      const tensors = [read(logits), read(experts), write(weights)];
      const args = [...tensors, count, perToken, Number(normalize), scale];
      runtime.launch('expertWeights', args, experts.rows, rowGrain(perToken * exponentialCost));
    },

    expertWeightsBackward({ logits, experts, normalize, scale, dWeights, dLogits }) {
      const [count, perToken] = [logits.columns, experts.columns];
      const tensors = [read(logits), read(experts), read(dWeights), update(dLogits)];
      const args = [...tensors, count, perToken, Number(normalize), scale];
      const grain = rowGrain(perToken * exponentialCost);
      runtime.launch('expertWeightsBackward', args, experts.rows, grain);
    },

    groupByExpert({ experts, offsets, tokens, rows }) {
      const tensors = [read(experts), write(offsets), write(tokens), write(rows)];
      const args = [...tensors, experts.size, offsets.size - 1, experts.columns];
      runtime.launch('groupByExpert', args, 1, 1);
    },

    combineRows({ source, rows, weights, residual, out }) {
      const { columns } = out;
      const tensors = [read(source), read(rows), read(weights), write(out)];
      const grain = rowGrain(columns * rows.columns);
      runtime.launch('combineRows', [...tensors, columns, rows.columns], out.rows, grain);
      if (residual) addTo(runtime, residual, out);
    },

    combineRowsBackward({ source, rows, weights, dOut, dSource, dWeights }) {
      const { columns } = dOut;
      runtime.launch(
        'combineRowsBackward',
        [
          ...[read(source), read(rows), read(weights), read(dOut), write(dSource), write(dWeights)],
          ...[columns, rows.columns],
        ],
        dOut.rows,
        rowGrain(columns * rows.columns),
      );
    },

    sumRows({ source, rows, out }) {
      const { columns } = out;
      const args = [read(source), read(rows), 0, write(out), columns, rows.columns];
      runtime.launch('combineRows', args, out.rows, rowGrain(columns * rows.columns));
    },
  };
}

export function balanceKernels(runtime: Runtime): Pick<Kernels, 'balanceLoss'> {
  return {
    balanceLoss({ logits, experts, rowStart, loss, dLogits, scale }) {
      const [rows, count, perToken] = [logits.rows, logits.columns, experts.columns];
      const bounds = documentBounds(runtime.ints(rowStart));
      const documents = bounds.length - 1;
      const boundsOperand = runtime.scratch(bounds.length * 4);
      const document = runtime.scratch(rows * 4);
      const frequency = runtime.scratch(documents * count * 4);
      const terms = runtime.scratch(rows * 8);
      const scores = runtime.scratch(runtime.threads * count * 4);
      runtime.ints(boundsOperand.tensor).set(bounds);
      const numbers = runtime.ints(document.tensor);
      for (let d = 0; d < documents; d++) numbers.fill(d, bounds[d], bounds[d + 1]);

      const counting = [read(experts), boundsOperand, frequency, count, perToken];
      const documentCost = ((rows * perToken) / Math.max(1, documents)) * 4 + count;
      runtime.launch('expertFrequency', counting, documents, rowGrain(documentCost));
      runtime.launch(
        'balanceLoss',
        [
          ...[read(logits), document, frequency, terms, dLogits ? update(dLogits) : 0, scores],
          ...[count, scale / rows],
        ],
        rows,
        rowGrain(count * exponentialCost),
      );
      runtime.launch('meanOfTerms', [terms, write(loss), rows], 1, elementGrain);
    },
  };
}

/** Where documents begin, and the end of the last. */
function documentBounds(rowStart: Int32Array): number[] {
  const bounds: number[] = [];
  for (let row = 0; row < rowStart.length; row++) if (rowStart[row] === row) bounds.push(row);
  bounds.push(rowStart.length);
  return bounds;
}

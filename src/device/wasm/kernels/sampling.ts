import type { InferenceKernels } from '../../../tensor/inference-kernels.ts';
import { keepMostProbable } from '../../host/sampling.ts';
import { type Runtime, read, update } from '../runtime.ts';
import { rowGrain } from './grain.ts';

type SamplingKernels = Pick<
  InferenceKernels,
  'samplingDistribution' | 'drawTokens' | 'verifyDrafts'
>;

/** What an exponential costs, in elements of a simple kernel. */
const exponentialCost = 4;

export function samplingKernels(runtime: Runtime): SamplingKernels {
  return {
    samplingDistribution({ logits, settings, vocabSize }) {
      const { rows, columns } = logits;
      const args = [update(logits), read(settings), columns, vocabSize];
      runtime.launch('samplingDistribution', args, rows, rowGrain(exponentialCost * columns));
      const [values, chosen] = [runtime.floats(logits), runtime.floats(settings)];
      for (let row = 0; row < rows; row++) {
        const weights = values.subarray(row * columns, (row + 1) * columns);
        keepMostProbable(weights, chosen.subarray(4 * row, 4 * row + 4));
      }
    },

    drawTokens({ probabilities, uniforms, places, out }) {
      const { rows, columns } = probabilities;
      const tensors = [read(probabilities), read(uniforms), read(places), update(out)];
      const args = [...tensors, columns, places.columns];
      runtime.launch('drawTokens', args, rows, rowGrain(columns));
    },

    verifyDrafts({ targets, drafts, tokens, uniforms, out }) {
      const { columns } = targets;
      const [sequences, drafted] = [uniforms.rows, uniforms.columns - 1];
      const tensors = [read(targets), drafts ? read(drafts) : 0, read(tokens), read(uniforms)];
      const scratch = runtime.workspace(4 * columns * runtime.threads);
      const args = [...tensors, update(out), scratch, sequences, drafted, columns];
      runtime.launch('verifyDrafts', args, sequences, rowGrain(columns * (drafted + 1)));
    },
  };
}

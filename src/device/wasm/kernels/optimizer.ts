import type { Kernels } from '../../../tensor/kernels.ts';
import { type Runtime, read, update, write } from '../runtime.ts';
import { elementGrain, rowGrain } from './grain.ts';

export function optimizerKernels(runtime: Runtime): Pick<Kernels, 'gradientStatistics' | 'adamw'> {
  return {
    gradientStatistics({ x, out }) {
      const parts = out.shape[0]!;
      const partSize = parts === 0 ? 0 : x.size / parts;
      // The partition into blocks is fixed, so the sum does not depend on the threads.
      const blocksPerPart = Math.max(1, Math.ceil(partSize / elementGrain));
      const blocks = parts * blocksPerPart;
      const partial = runtime.scratch(blocks * 16);
      const args = [read(x), partial, partSize, elementGrain, blocksPerPart];
      const blockSize = Math.min(partSize, elementGrain);
      runtime.launch('gradientStatistics', args, blocks, rowGrain(blockSize));
      const sums = [partial, write(out), blocksPerPart];
      runtime.launch('sumStatistics', sums, parts, rowGrain(blocksPerPart));
    },

    adamw({ parameter, gradient, firstMoment, secondMoment, step, ...rule }) {
      const { rate, beta1, beta2 } = rule;
      runtime.launch(
        'adamw',
        [
          ...[update(parameter), read(gradient), update(firstMoment), update(secondMoment)],
          ...[rule.gradientScale, beta1, 1 - beta1, beta2, 1 - beta2],
          ...[rate / (1 - beta1 ** step), 1 / (1 - beta2 ** step)],
          ...[rule.epsilon, rate * rule.decay],
        ],
        parameter.size,
        elementGrain,
      );
    },
  };
}

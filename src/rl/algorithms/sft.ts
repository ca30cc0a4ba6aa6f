/**
 * Supervised fine-tuning as an algorithm of trajectories: c_t = 1 for each token of an assistant (`sampled`),
 * by default averaged over all tokens. Nothing else is asked for: no reward, no teacher, no sampler.
 */
import type { Algorithm } from './algorithm.ts';
import { type Reduction, tokenShares } from './reduction.ts';

export function sft({ reduction = 'tokens' }: { reduction?: Reduction } = {}): Algorithm {
  return {
    name: 'sft',
    topCount: 0,
    begin(examples) {
      const shares = tokenShares(examples, reduction);
      return (index) => {
        const { sampled } = examples[index]!.trajectory;
        const weights = Float32Array.from(sampled, (one) => one * shares[index]!);
        return { weights, top: new Float32Array(0), sums: {} };
      };
    },
  };
}

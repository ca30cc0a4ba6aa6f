/**
 * Group-relative policy optimisation (Shao et al. 2024), with which teachers are trained (report, section
 * 4.3): every token of a trajectory has the advantage Â of its outcome within its group, and
 *
 *   c_t = share · w_t · Â
 *
 * with w_t the importance weight of the token. The clip of PPO is one more: the gradient of
 * min(r·Â, clip(r)·Â) is r·Â·∇log π where the clip does not bind, and 0 where it does.
 */
import type { Algorithm } from './algorithm.ts';
import { type AdvantageOptions, groupAdvantages } from './group-advantages.ts';
import { type Correction, importanceWeight } from './importance.ts';
import { type Reduction, tokenShares } from './reduction.ts';
import { addTo, stalenessOf } from './tokens.ts';

export interface GrpoOptions extends AdvantageOptions {
  /** Default: the gate of equation 8. */
  correction?: Correction | PpoClip;
  /** Default: mean over a response's tokens, then over responses. */
  reduction?: Reduction;
}

/** Ratios above 1 + high do not raise what is good, those below 1 − low do not lower what is bad. */
export interface PpoClip {
  kind: 'clip';
  /** Default 0.2. */
  low?: number;
  /** Default 0.28: DAPO's "clip-higher" (Yu et al. 2025). */
  high?: number;
}

export function grpo(options: GrpoOptions = {}): Algorithm {
  const { correction = { kind: 'gate' }, reduction = 'responses' } = options;
  return {
    name: 'grpo',
    topCount: 0,
    begin(examples, version) {
      const advantages = groupAdvantages(examples, options);
      const shares = tokenShares(examples, reduction);
      return (index, live) => {
        const { trajectory } = examples[index]!;
        const { sampled, logprobs, versions } = trajectory;
        const advantage = advantages[index]!;
        const weights = new Float32Array(sampled.length);
        const sums: Record<string, number> = { withoutSignal: 0 };
        for (const [t, one] of sampled.entries()) {
          if (!one) continue;
          const ratio = Math.exp(live.logprobs[t]! - logprobs[t]!);
          const { weight, verdict } =
            correction.kind === 'clip'
              ? clipped(correction, ratio, advantage)
              : importanceWeight(correction, ratio, stalenessOf(versions[t]!, version));
          if (verdict) addTo(sums, verdict, 1);
          if (advantage === 0) addTo(sums, 'withoutSignal', 1);
          weights[t] = shares[index]! * weight * advantage;
        }
        return { weights, top: new Float32Array(0), sums };
      };
    },
  };
}

function clipped({ low = 0.2, high = 0.28 }: PpoClip, ratio: number, advantage: number) {
  if (advantage > 0 && ratio > 1 + high) return { weight: 0, verdict: 'clippedHigh' };
  if (advantage < 0 && ratio < 1 - low) return { weight: 0, verdict: 'clippedLow' };
  return { weight: ratio, verdict: null };
}

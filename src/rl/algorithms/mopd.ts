/**
 * Multi-teacher on-policy distillation (report, section 4.4). For a response y that the student sampled
 * from μ_θ, and the one teacher of the prompt's domain:
 *
 *   L = −E[ 1/|y| Σ_t w_t · Â_t · log π_θ(y_t) ]                                           (7)
 *   w_t = sg[π_θ/μ_θ] if ε_low ≤ π_θ/μ_θ ≤ ε_high, else 0                                  (8)
 *   Â_t = sg[log π_teacher(y_t) − log π_θ(y_t)] + α·Â_ORM                                  (9)
 *
 * with Â_ORM the group-relative advantage of the outcome. So c_t = w_t·Â_t/(N·|y|) for N responses. π_θ is
 * the trainer's in all three; with μ_θ in (9) a student that has moved on would be told of a gap that is
 * closed already.
 */
import { UserError } from '../../errors.ts';
import type { Algorithm, Example, TeacherScores } from './algorithm.ts';
import { domainScales } from './domain-scales.ts';
import { type AdvantageOptions, groupAdvantages } from './group-advantages.ts';
import { type Correction, importanceWeight } from './importance.ts';
import { type Reduction, tokenShares } from './reduction.ts';
import { addTo, stalenessOf } from './tokens.ts';
import { reverseKlWeights } from './top-tokens.ts';

export interface MopdOptions extends AdvantageOptions {
  /** α of (9); 0 distils only, and needs no rewards. The report gives no value, so a run has to. */
  alpha: number;
  /** Default: the gate of (8). */
  correction?: Correction;
  /** Default: as in (7). */
  reduction?: Reduction;
  /**
   * If more than 0, the gap of the sampled token gives way to the reverse KL over so many of the teacher's
   * most probable tokens: see `reverseKlWeights`. Default 0.
   */
  topTokens?: number;
  /** Whether the gaps of all domains are brought to one scale: see `domainScales`. Default false. */
  normalizeDomains?: boolean;
  /** Largest size of a gap, as one token can weigh down a batch; by default there is none, as printed. */
  gapLimit?: number;
}

export function mopd(options: MopdOptions): Algorithm {
  const { alpha, correction = { kind: 'gate' }, reduction = 'responses' } = options;
  const { topTokens = 0, normalizeDomains = false, gapLimit = Number.POSITIVE_INFINITY } = options;
  return {
    name: 'mopd',
    topCount: topTokens,
    begin(examples, version) {
      const teachers = examples.map((example) => teacherOf(example, topTokens));
      const outcomes = alpha === 0 ? examples.map(() => 0) : groupAdvantages(examples, options);
      const shares = tokenShares(examples, reduction);
      const scales = normalizeDomains ? domainScales(examples) : new Map<string, number>();
      return (index, live) => {
        const { sampled, logprobs, versions, domain } = examples[index]!.trajectory;
        const teacher = teachers[index]!;
        const share = shares[index]!;
        const scale = scales.get(domain) ?? 1;
        const outcome = alpha * outcomes[index]!;
        const weights = new Float32Array(sampled.length);
        const top = new Float32Array(sampled.length * topTokens);
        const sums: Record<string, number> = {};
        for (const [t, one] of sampled.entries()) {
          if (!one) continue;
          const ratio = Math.exp(live.logprobs[t]! - logprobs[t]!);
          const staleness = stalenessOf(versions[t]!, version);
          const { weight, verdict } = importanceWeight(correction, ratio, staleness);
          if (verdict) addTo(sums, verdict, 1);
          const gap = teacher.logprobs[t]! - live.logprobs[t]!;
          // Its mean estimates the reverse KL of (5), student to teacher.
          addTo(sums, 'teacherGap', -gap);
          const limited = Math.max(-gapLimit, Math.min(gapLimit, scale * gap));
          if (limited !== scale * gap) addTo(sums, 'gapLimited', 1);
          // What the gate drops has no gradient, however large its gap.
          if (weight === 0) continue;
          if (topTokens === 0) {
            weights[t] = share * weight * (limited + outcome);
            continue;
          }
          weights[t] = share * weight * outcome;
          // The sum over tokens is an expectation already: a weight for having drawn this one would be
          // wrong in it.
          const [begin, end] = [t * topTokens, (t + 1) * topTokens];
          const found = reverseKlWeights(
            live.top.subarray(begin, end),
            teacher.top!.logprobs.subarray(begin, end),
          );
          found.forEach((c, i) => {
            top[begin + i] = share * scale * c;
          });
        }
        return { weights, top, sums };
      };
    },
  };
}

function teacherOf({ trajectory, teacher }: Example, topTokens: number): TeacherScores {
  const { id, domain } = trajectory;
  if (!teacher) {
    throw new UserError(
      `trajectory ${id}: no teacher of "${domain}" has scored it; drop it or score it`,
    );
  }
  const told = teacher.top?.count ?? 0;
  if (topTokens > 0 && told !== topTokens) {
    throw new UserError(
      `trajectory ${id}: its teacher told of ${told} tokens a place, and ${topTokens} are to be ` +
        'weighed; ask it for as many',
    );
  }
  return teacher;
}

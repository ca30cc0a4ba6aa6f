import type { Example } from './algorithm.ts';

/**
 * One multiplier a domain, so that no teacher's gaps drown another's (DN-MOPD, LiXin97/DN-MOPD):
 * clip(σ_all/σ_d, 0.25, 4), with σ the standard deviation of the log-ratio over the tokens of all domains
 * and of one.
 *
 * The log-ratio is taken to μ_θ here, not to π_θ: that is known of the whole step before its first forward
 * pass, and for a scale the two are the same.
 */
export function domainScales(examples: readonly Example[]): Map<string, number> {
  const all = new Spread();
  const domains = new Map<string, Spread>();
  for (const { trajectory, teacher } of examples) {
    const { domain, sampled, logprobs } = trajectory;
    const spread = domains.get(domain) ?? new Spread();
    domains.set(domain, spread);
    for (const [t, one] of sampled.entries()) {
      if (!one) continue;
      const gap = teacher!.logprobs[t]! - logprobs[t]!;
      all.add(gap);
      spread.add(gap);
    }
  }
  return new Map(
    [...domains].map(([domain, spread]) => {
      // A domain without any spread has no gap to amplify.
      if (spread.deviation === 0) return [domain, 1];
      return [domain, Math.min(4, Math.max(0.25, all.deviation / spread.deviation))];
    }),
  );
}

/** Mean and deviation of numbers as they come (Welford), so that equal ones have exactly none. */
class Spread {
  #count = 0;
  #mean = 0;
  #squares = 0;

  add(value: number): void {
    this.#count++;
    const before = value - this.#mean;
    this.#mean += before / this.#count;
    this.#squares += before * (value - this.#mean);
  }

  get deviation(): number {
    return this.#count === 0 ? 0 : Math.sqrt(this.#squares / this.#count);
  }
}

import type { GenerationStep } from './generation.ts';

/** How a generation went: speed, and how often the MTP heads' drafts were right. */
export class GenerationStatistics {
  #tokens = 0;
  #verifications = 0;
  #verifiedTokens = 0;
  /** For head k: passes in which it was asked with all earlier heads right, and was right itself. */
  readonly #asked: number[] = [];
  readonly #hit: number[] = [];
  readonly #begin = performance.now();
  #firstToken = 0;
  /** Tokens that came with the first. */
  #firstTokens = 0;
  #last = 0;

  add({ tokens, drafted }: Pick<GenerationStep, 'tokens' | 'drafted'>): void {
    this.#last = performance.now();
    if (this.#tokens === 0) {
      this.#firstToken = this.#last;
      this.#firstTokens = tokens.length;
    }
    this.#tokens += tokens.length;
    if (drafted === 0) return;
    this.#verifications++;
    this.#verifiedTokens += tokens.length;
    const accepted = tokens.length - 1;
    for (let head = 0; head < Math.min(accepted + 1, drafted); head++) {
      this.#asked[head] = (this.#asked[head] ?? 0) + 1;
      this.#hit[head] = (this.#hit[head] ?? 0) + (head < accepted ? 1 : 0);
    }
  }

  /** Tokens generated. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Seconds from the beginning to the first token: the prompt's. */
  get secondsToFirstToken(): number {
    return (this.#firstToken - this.#begin) / 1000;
  }

  /** Tokens per second after the first pass; 0 if there was only one. */
  get tokensPerSecond(): number {
    const seconds = (this.#last - this.#firstToken) / 1000;
    return seconds > 0 ? (this.#tokens - this.#firstTokens) / seconds : 0;
  }

  /** Passes that verified drafts. */
  get verifications(): number {
    return this.#verifications;
  }

  /** Tokens that those passes gave. */
  get verifiedTokens(): number {
    return this.#verifiedTokens;
  }

  /** Mean tokens of a verified pass, the model's own included; null without drafts. */
  get acceptanceLength(): number | null {
    return this.#verifications > 0 ? this.#verifiedTokens / this.#verifications : null;
  }

  /** For each head, the share of its drafts that were right where those before it were. */
  get hitRates(): number[] {
    return this.#asked.map((asked, head) => this.#hit[head]! / asked);
  }
}

/** Where a grammar stands after some tokens; it never changes. */
export interface GrammarState {
  /** Bit t % 32 of word ⌊t/32⌋ says whether token t may come next. */
  readonly mask: Int32Array;
  /** Whether the output may end here. */
  readonly isFinal: boolean;
  /** After one more token; null if it may not come next. */
  after(token: number): GrammarState | null;
}

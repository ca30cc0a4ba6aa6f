/** Time as it is told to whatever waits in post-training, so that tests need not wait. */
export interface Clock {
  /** Milliseconds since some moment. */
  now(): number;
  /** @returns takes it back */
  after(milliseconds: number, action: () => void): () => void;
}

/** What a timer of Node holds; longer ones would end at once. */
const LONGEST = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  after(milliseconds, action) {
    const timer = setTimeout(action, Math.min(milliseconds, LONGEST));
    return () => clearTimeout(timer);
  },
};

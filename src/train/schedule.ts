/** The learning rate over a run. Each schedule is a function of the step, counted from 0. */

export type Schedule = (step: number) => number;

/** Linear warm-up to `peak`, then a cosine to `floor` at the last step. The report's for SFT. */
export function cosineSchedule(options: {
  peak: number;
  floor: number;
  warmupSteps: number;
  steps: number;
}): Schedule {
  const { warmupSteps, steps } = options;
  return warmupStableDecay({ ...options, decaySteps: Math.max(0, steps - warmupSteps) });
}

/**
 * Linear warm-up to `peak`, constant, then over the last `decaySteps` a cosine to `floor`. The
 * report's for pre-training: 50B tokens of warm-up, 12T constant, 10T of decay.
 */
export function warmupStableDecay(options: {
  peak: number;
  floor: number;
  warmupSteps: number;
  decaySteps: number;
  steps: number;
}): Schedule {
  const { peak, floor, warmupSteps, decaySteps, steps } = options;
  return (step) => {
    if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
    // The last step is at the floor itself.
    const done = Math.min(1, (step + 1 - (steps - decaySteps)) / Math.max(1, decaySteps));
    if (done <= 0) return peak;
    return floor + ((peak - floor) * (1 + Math.cos(Math.PI * done))) / 2;
  };
}

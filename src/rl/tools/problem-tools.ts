import type { Problem } from '../../tasks/index.ts';
import type { Environment, EnvironmentKind } from './types.ts';

export interface ProblemToolsSpec {
  /** Of the sequence that is to have them. */
  sequence: string;
  problem: Problem;
}

/**
 * The tools that problems of the task families bring. They live in this process and have limits of their
 * own, so what is given here is for the case that these do not hold.
 */
export function problemTools(
  given: Partial<EnvironmentKind<ProblemToolsSpec>> = {},
): EnvironmentKind<ProblemToolsSpec> {
  return {
    name: 'problem-tools',
    key: ({ sequence }) => sequence,
    needs: {},
    ...{ openTimeout: 10_000, callTimeout: 10_000, restarts: 1, replays: true },
    async open({ problem }) {
      const environment = environmentOf(problem);
      if (environment) return environment;
      throw new Error(`problems of ${problem.family} have no tools to open`);
    },
    ...given,
  };
}

/** The problem's tools; null if it has none. */
export function environmentOf(problem: Problem): Environment | null {
  const session = problem.openTools?.();
  if (!session) return null;
  return {
    call: (call) => session.call(call),
    get finished() {
      return session.finished;
    },
    close: async () => session.close?.(),
  };
}

import type { Sequence } from '../scheduler/types.ts';
import type { Environment } from '../tools/types.ts';

/** The problem's tools, which have nothing to close. */
export async function ownTools({ prompt }: Sequence): Promise<Environment | null> {
  const session = prompt.problem.openTools?.();
  if (!session) return null;
  return {
    call: (call) => session.call(call),
    get finished() {
      return session.finished;
    },
    close: async () => {},
  };
}

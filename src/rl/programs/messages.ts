/** What threads that run programs are told, and what they answer. */
import {
  type Call,
  FAMILIES,
  type Mixture,
  type Response,
  type Split,
  type Verdict,
} from '../../tasks/index.ts';

/** Which prompts of the task families: they are made anew where they are needed, since they hold functions. */
export interface TaskPromptsReference {
  seed: string;
  split: Split;
  mixture: SentMixture;
}

/** Families go by name: their functions cannot be sent. */
export type SentMixture = Omit<Mixture, 'families' | 'countTokens'> & {
  families: { name: string; weight: number }[];
};

/** Problem number `index` of them. */
export interface ProblemReference {
  prompts: TaskPromptsReference;
  index: number;
}

export type ProgramRequest =
  | { type: 'verify'; problem: ProblemReference; response: Response }
  /** In a session that is opened by its first call. */
  | { type: 'call'; session: number; problem: ProblemReference; call: Call }
  | { type: 'close'; session: number };

export type ProgramReply =
  /** First of all: it has loaded what runs programs. */
  | { type: 'ready' }
  | { type: 'verdict'; verdict: Verdict }
  | { type: 'output'; output: string; finished: boolean }
  | { type: 'closed' }
  | { type: 'error'; message: string };

export function sentMixture({ countTokens: _, families, ...mixture }: Mixture): SentMixture {
  const named = families.map(({ family, weight }) => ({ name: family.name, weight }));
  return { ...mixture, families: named };
}

export function receivedMixture({ families, ...mixture }: SentMixture): Mixture {
  const found = families.map(({ name, weight }) => ({
    family: FAMILIES.find((family) => family.name === name)!,
    weight,
  }));
  return { ...mixture, families: found };
}

import { UserError } from '../../errors.ts';
import type { TeacherScores } from '../algorithms/algorithm.ts';
import type { Trajectory } from '../trajectory.ts';
import type { Teacher, TeacherFailure } from './teacher.ts';

/**
 * The one teacher of each domain (report, section 4.4: π_{domain_x}). Teachers are chosen between, never
 * averaged; several domains may have the same.
 */
export class TeacherRegistry {
  readonly #teachers: ReadonlyMap<string, Teacher>;

  constructor(teachers: ReadonlyMap<string, Teacher>) {
    this.#teachers = teachers;
  }

  /** @throws UserError if the domain has none */
  teacherOf(domain: string): Teacher {
    const teacher = this.#teachers.get(domain);
    if (teacher) return teacher;
    const known = [...this.#teachers.keys()].join(', ');
    throw new UserError(`domain "${domain}" has no teacher (there are: ${known}); name one`);
  }

  /**
   * The scores of each trajectory by the teacher of its domain, or why there are none. A teacher is asked
   * once for all of its trajectories. Teachers in this process take turns, as they share its memory and its
   * device; servers work meanwhile.
   *
   * @throws UserError if a domain has no teacher; nothing is scored then
   */
  async score(
    trajectories: readonly Trajectory[],
    topCount: number,
    signal?: AbortSignal,
  ): Promise<(TeacherScores | TeacherFailure)[]> {
    const shares = new Map<Teacher, number[]>();
    trajectories.forEach(({ domain }, index) => {
      const teacher = this.teacherOf(domain);
      const indices = shares.get(teacher) ?? [];
      shares.set(teacher, indices);
      indices.push(index);
    });
    const results: (TeacherScores | TeacherFailure)[] = [];
    const ask = async ([teacher, indices]: [Teacher, number[]]) => {
      const own = indices.map((index) => trajectories[index]!);
      const scores = await teacher.score(own, topCount, signal);
      indices.forEach((index, i) => {
        results[index] = scores[i]!;
      });
    };
    const inTurn = async () => {
      for (const share of shares) if (!share[0].isRemote) await ask(share);
    };
    const remote = [...shares].filter(([teacher]) => teacher.isRemote);
    await Promise.all([inTurn(), ...remote.map(ask)]);
    return results;
  }

  async close(): Promise<void> {
    for (const teacher of new Set(this.#teachers.values())) await teacher.close();
  }
}

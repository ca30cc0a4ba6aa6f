/**
 * A teacher behind SGLang's `/generate`: log-probabilities of the input, and no output. Temperature is sent
 * as 1, since servers may scale what they report by it.
 */
import { z } from 'zod';
import type { TeacherScores } from '../algorithms/algorithm.ts';
import type { Trajectory } from '../trajectory.ts';
import { emptyScores } from './prefill.ts';
import { Requester, type RequestLimits } from './requester.ts';
import { scoresProblem, type Teacher, TeacherFailure } from './teacher.ts';

export interface ServerTeacherOptions extends RequestLimits {
  /** Without a path: `http://teacher:30000`. */
  url: string;
  /** Sent as `Authorization: Bearer`. */
  key?: string;
  /** Requests at once. Default 8. */
  concurrency?: number;
}

const entry = z.tuple([z.number().nullable(), z.number()]).rest(z.unknown());
const answerSchema = z.object({
  meta_info: z.object({
    input_token_logprobs: z.array(entry),
    input_top_logprobs: z.array(z.array(entry).nullable()).nullish(),
  }),
});

/**
 * Trajectories in a row that get no answer, for all their attempts, before the others of a batch are not
 * sent: a dead server would cost each of hundreds its time-outs. The next batch asks again.
 */
const mostSilent = 8;

const isSilence = (result: TeacherScores | TeacherFailure) =>
  result instanceof TeacherFailure &&
  (result.reason === 'unreachable' || result.reason === 'timeout');

type Answer = z.output<typeof answerSchema>['meta_info'];

export class ServerTeacher implements Teacher {
  readonly name: string;
  readonly isRemote = true;
  readonly #requester: Requester;
  readonly #concurrency: number;

  constructor(options: ServerTeacherOptions) {
    this.name = options.url;
    this.#requester = new Requester(options);
    this.#concurrency = options.concurrency ?? 8;
  }

  async score(
    trajectories: readonly Trajectory[],
    topCount: number,
    signal?: AbortSignal,
  ): Promise<(TeacherScores | TeacherFailure)[]> {
    const results: (TeacherScores | TeacherFailure)[] = [];
    let next = 0;
    let silent = 0;
    const work = async () => {
      while (next < trajectories.length) {
        const index = next++;
        const trajectory = trajectories[index]!;
        const result =
          silent < mostSilent
            ? await this.#scoreOne(trajectory, topCount, signal)
            : this.#notAsked(trajectory);
        silent = isSilence(result) ? silent + 1 : 0;
        results[index] = result;
      }
    };
    await Promise.all(Array.from({ length: this.#concurrency }, work));
    return results;
  }

  async close(): Promise<void> {}

  #notAsked({ id }: Trajectory): TeacherFailure {
    return new TeacherFailure(
      'unreachable',
      `teacher ${this.name}: trajectory ${id} was not sent: it did not answer ${mostSilent} times in a row`,
    );
  }

  async #scoreOne(
    trajectory: Trajectory,
    topCount: number,
    signal: AbortSignal | undefined,
  ): Promise<TeacherScores | TeacherFailure> {
    // The first entry of an answer never has a log-probability.
    const begin = trajectory.sampled.indexOf(1) - 1;
    const body = {
      input_ids: [...trajectory.tokens],
      sampling_params: { temperature: 1, max_new_tokens: 0 },
      return_logprob: true,
      logprob_start_len: begin,
      ...(topCount > 0 && { top_logprobs_num: topCount }),
    };
    try {
      const { meta_info } = await this.#requester.post('/generate', body, answerSchema, signal);
      const scores = this.#read(trajectory, meta_info, begin, topCount);
      return scoresProblem(this.name, trajectory, scores) ?? scores;
    } catch (error) {
      if (error instanceof TeacherFailure) return error;
      throw error;
    }
  }

  /** @throws TeacherFailure if the answer is about other tokens */
  #read(
    { id, tokens, sampled }: Trajectory,
    answer: Answer,
    begin: number,
    topCount: number,
  ): TeacherScores {
    const scores = emptyScores(tokens.length, topCount);
    const malformed = (what: string) =>
      new TeacherFailure('malformed', `teacher ${this.name}: trajectory ${id}: ${what}`);
    const { input_token_logprobs: entries, input_top_logprobs: tops } = answer;
    if (entries.length !== tokens.length - begin) {
      throw malformed(`scored ${entries.length} tokens and not ${tokens.length - begin}`);
    }
    for (let t = begin + 1; t < tokens.length; t++) {
      if (!sampled[t]) continue;
      const [logprob, token] = entries[t - begin]!;
      if (token !== tokens[t] || logprob === null) {
        throw malformed(`token ${t} is ${tokens[t]}, and it scored ${token} as ${logprob}`);
      }
      scores.logprobs[t] = logprob;
      if (!scores.top) continue;
      const top = tops?.[t - begin];
      if (top?.length !== topCount || top.some(([value]) => value === null)) {
        throw malformed(`told of ${top?.length ?? 0} top tokens at ${t}, and not of ${topCount}`);
      }
      top.forEach(([value, candidate], i) => {
        scores.top!.tokens[t * topCount + i] = candidate;
        scores.top!.logprobs[t * topCount + i] = value!;
      });
    }
    return scores;
  }
}

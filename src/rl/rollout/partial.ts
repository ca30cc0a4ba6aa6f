/** A rollout that was left, and what it takes to go on: see `PartialRollout`. */
import { z } from 'zod';
import type { ModelConfig } from '../../model/config.ts';
import type { ChatMessage } from '../../text/chat-messages.ts';
import { expertLayerCount } from '../check-trajectory.ts';
import { RoutesBuilder } from '../routes.ts';
import type { PartialRollout } from '../scheduler/types.ts';
import { SequenceFailure } from '../sequence-failure.ts';
import { TrajectoryBuilder } from '../trajectory.ts';

/** What the tokens alone do not say. */
export interface RolloutState {
  /** Whole turns after the prompt, and what the calls in them gave. */
  response: ChatMessage[];
  /** Where the turn that is being sampled begins. */
  turnStart: number;
  /** Whether that turn has ended, and only its calls are to be made. */
  turnEnded: boolean;
}

const stateSchema = z.object({
  response: z.array(z.looseObject({ role: z.string() })),
  turnStart: z.int().min(1),
  turnEnded: z.boolean(),
});

/** A trajectory of this model, with routes where it has experts. */
export function newTrajectory(config: ModelConfig): TrajectoryBuilder {
  const layers = expertLayerCount(config);
  const { count, perToken } = config.experts;
  return new TrajectoryBuilder(layers > 0 ? new RoutesBuilder({ layers, perToken, count }) : null);
}

export function savePartial(builder: TrajectoryBuilder, state: RolloutState): PartialRollout {
  return { ...builder.contents, routes: builder.routes?.contents ?? null, state };
}

/** @throws SequenceFailure if it is not what `savePartial` made with such a model */
export function restorePartial(
  config: ModelConfig,
  { tokens, sampled, logprobs, versions, routes, state }: PartialRollout,
): { builder: TrajectoryBuilder; state: RolloutState } {
  const builder = newTrajectory(config);
  const parsed = stateSchema.safeParse(state);
  if (!parsed.success || (builder.routes === null) !== (routes === null)) {
    throw new SequenceFailure('malformed', 'what was left of a rollout is not of this model');
  }
  for (let i = 0; i < tokens.length; i++) {
    if (sampled[i] === 0) builder.appendGiven([tokens[i]!]);
    else builder.appendSampled([tokens[i]!], [logprobs[i]!], versions[i]!);
  }
  builder.routes?.append(0, routes!.experts);
  const response = parsed.data.response as unknown as ChatMessage[];
  return { builder, state: { ...parsed.data, response } };
}

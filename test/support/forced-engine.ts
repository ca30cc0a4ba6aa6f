import type { Engine } from '../../src/engine/engine.ts';
import type { GenerationOptions, VersionedStep } from '../../src/engine/generation.ts';
import { joinRoutes } from '../../src/engine/token-reports.ts';
import type { PolicyEngine } from '../../src/rl/rollout/rollout.ts';

/**
 * An engine that is told what to draw: the turns, one a call, in steps of one and two tokens. What a step
 * says of them is the model's own: they pass it as a prompt.
 */
export function forcedEngine(engine: Engine, turns: readonly (readonly number[])[]): PolicyEngine {
  let next = 0;
  return {
    async *generate(
      prompt: readonly number[],
      options: GenerationOptions,
    ): AsyncGenerator<VersionedStep, void> {
      const turn = turns[next++]!;
      const from = options.routedExperts?.from ?? prompt.length;
      // One token more, for a prompt's last position has no routes.
      const reading = engine.generate([...prompt, ...turn, turn.at(-1)!], {
        maxTokens: 0,
        promptLogprobs: { top: 0, from: prompt.length },
        routedExperts: { from },
      });
      const { value } = await reading.next();
      const { logprobs, experts } = (value as VersionedStep).prompt!;
      const width = experts!.length / (prompt.length + turn.length - from);
      const rows = Array.from({ length: experts!.length / width }, (_, i) =>
        experts!.slice(i * width, (i + 1) * width),
      );
      const own = rows.splice(prompt.length - 1 - from).slice(0, turn.length);
      for (let at = 0; at < turn.length; ) {
        options.signal?.throwIfAborted();
        const end = Math.min(at + 1 + (at % 2), turn.length);
        yield {
          tokens: turn.slice(at, end),
          scores: logprobs!.slice(at, end).map((score) => score!),
          experts: own.slice(at, end),
          drafted: 1,
          finish: end === turn.length ? 'stop' : null,
          weightVersion: engine.weightVersion,
          ...(at === 0 && {
            prompt: { cachedTokens: 0, experts: joinRoutes(rows) },
          }),
        };
        at = end;
      }
    },
  };
}

import type { GroupState } from './state.ts';
import type { Prompt, ScheduledSource } from './types.ts';

/** The prompts of groups that are under way; after a restart they are made again. */
export class PromptCache {
  readonly #sources: ReadonlyMap<string, ScheduledSource>;
  readonly #prompts = new Map<string, Promise<Prompt>>();

  constructor(sources: ReadonlyMap<string, ScheduledSource>) {
    this.#sources = sources;
  }

  of({ id, source, index }: GroupState): Promise<Prompt> {
    const known = this.#prompts.get(id);
    if (known) return known;
    const prompt = this.#sources.get(source)!.prompts.prompt(index);
    this.#prompts.set(id, prompt);
    return prompt;
  }

  /** Forgets those of groups that are not there any more. */
  keepOnly(isThere: (group: string) => boolean): void {
    for (const id of this.#prompts.keys()) if (!isThere(id)) this.#prompts.delete(id);
  }
}

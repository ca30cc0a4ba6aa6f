/** Items from one producer to one consumer, who takes them as they come. */
export class Channel<Item> {
  readonly #items: Item[] = [];
  #end: { error?: unknown } | null = null;
  #wake: (() => void) | null = null;

  push(item: Item): void {
    this.#items.push(item);
    this.#wake?.();
  }

  /** After what has been pushed, the consumer gets no more. */
  close(): void {
    this.#end ??= {};
    this.#wake?.();
  }

  /** After what has been pushed, the consumer gets the error. */
  fail(error: unknown): void {
    this.#end ??= { error };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    for (;;) {
      while (this.#items.length > 0) yield this.#items.shift()!;
      if (this.#end) {
        if ('error' in this.#end) throw this.#end.error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

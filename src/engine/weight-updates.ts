interface WeightUpdate {
  version: number;
  update: () => void | Promise<void>;
  done: PromiseWithResolvers<void>;
}

/** New weights that wait for the end of a step, and what the present ones are called. */
export class WeightUpdates {
  #waiting: WeightUpdate[] = [];
  #version = 0;

  get version(): number {
    return this.#version;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** → when it has been applied; fails as `update` does. */
  add(version: number, update: WeightUpdate['update']): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ version, update, done });
    return done.promise;
  }

  /** One after another; one that fails leaves the version as it was. */
  async apply(): Promise<void> {
    for (const { version, update, done } of this.#waiting.splice(0)) {
      try {
        await update();
        this.#version = version;
        done.resolve();
      } catch (error) {
        done.reject(error);
      }
    }
  }

  fail(error: unknown): void {
    for (const { done } of this.#waiting.splice(0)) done.reject(error);
  }
}

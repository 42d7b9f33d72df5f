/** The steps at the end of a run, also of a failed one. */
export class CleanUp {
  readonly #steps: (() => Promise<unknown>)[] = [];

  /** Steps run in reverse order. */
  later(step: () => Promise<unknown>): void {
    this.#steps.push(step);
  }

  async run(log: (problem: string) => void): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) {
      await step().catch((error) => log(`Not cleaned up: ${error}`));
    }
  }
}

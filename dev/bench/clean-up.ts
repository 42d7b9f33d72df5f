/** What has to be undone at the end of a run, whether or not it succeeds. */
export class CleanUp {
  readonly #steps: (() => Promise<void>)[] = [];

  /** Undo this at the end, before what was noted earlier. Undoing it twice has to be harmless. */
  later(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  async run(tell: (problem: string) => void): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) {
      await step().catch((error) => tell(`Not cleaned up: ${error}`));
    }
  }
}

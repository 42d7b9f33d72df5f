import process from "node:process";

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

/** Clean up and exit with 1 at a signal or an uncaught error. A second signal does not wait for the steps. */
export function exitAfterCleanUp(cleanUp: CleanUp, log: (problem: string) => void): void {
  let isEnding = false;
  for (const event of ["SIGINT", "SIGTERM", "SIGHUP", "uncaughtException"] as const) {
    process.on(event, async (reason: unknown) => {
      console.error(reason);
      if (!isEnding) {
        isEnding = true;
        await cleanUp.run(log);
      }
      process.exit(1);
    });
  }
}

import { afterAll, beforeAll, beforeEach } from "vitest";
import { type SentrySink, startSentrySink } from "../../dev/sentry-sink.js";
import { setDefaults } from "./environment.js";
import { settled } from "./wait-until.js";

export interface TestSentry {
  readonly sink: SentrySink;
  /** The received payloads of one type, after all background work of requests is done. */
  received(type: "transaction" | "event" | "check_in"): Promise<ReturnType<SentrySink["payloads"]>>;
}

/** Send all Sentry payloads of this test file to its own sink, which is empty at the start of each test. */
export function useSentry(): TestSentry {
  let started: SentrySink | undefined;
  const sink = () => {
    if (!started) throw new Error("The sink is open only inside tests and hooks.");
    return started;
  };
  beforeAll(async () => {
    started = await startSentrySink("a1b2c3d4e5f6");
    setDefaults({ SENTRY_DSN: started.dsn, SENTRY_TRACES_SAMPLE_RATE: "1" });
  });
  beforeEach(() => sink().reset());
  afterAll(async () => {
    await settled();
    await started?.close();
  });
  return {
    get sink() {
      return sink();
    },
    async received(type) {
      await settled();
      return sink().payloads(type);
    },
  };
}

import { afterAll, beforeAll, beforeEach } from "vitest";
import { type SentrySink, startSentrySink } from "../../dev/sentry-sink.js";
import { setDefaults } from "./environment.js";
import { settled } from "./wait-until.js";

export interface TestSentry {
  readonly sink: SentrySink;
  /** What has arrived of one type, once everything that requests left for after their replies is done. */
  told(type: "transaction" | "event" | "check_in"): Promise<ReturnType<SentrySink["payloads"]>>;
}

/** Let this test file's code tell a Sentry of its own everything; each test begins with nothing told. */
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
    async told(type) {
      await settled();
      return sink().payloads(type);
    },
  };
}

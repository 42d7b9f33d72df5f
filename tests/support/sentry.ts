import { afterAll, beforeAll, beforeEach } from "vitest";
import { type SentryEndpoint, startSentryEndpoint } from "../../dev/sentry-endpoint.js";
import { setDefaults } from "./environment.js";
import { settled } from "./wait-until.js";

export interface TestSentry {
  readonly endpoint: SentryEndpoint;
  /** The received payloads of one type, after all background work of requests is done. */
  received(
    type: "transaction" | "event" | "check_in",
  ): Promise<ReturnType<SentryEndpoint["payloads"]>>;
}

/** Send all Sentry payloads of this test file to its own endpoint, which is empty at the start of each test. */
export function useSentry(): TestSentry {
  let started: SentryEndpoint | undefined;
  const endpoint = () => {
    if (!started) throw new Error("The endpoint is open only inside tests and hooks.");
    return started;
  };
  beforeAll(async () => {
    started = await startSentryEndpoint("a1b2c3d4e5f6");
    setDefaults({ SENTRY_DSN: started.dsn, SENTRY_TRACES_SAMPLE_RATE: "1" });
  });
  beforeEach(() => endpoint().reset());
  afterAll(async () => {
    await settled();
    await started?.close();
  });
  return {
    get endpoint() {
      return endpoint();
    },
    async received(type) {
      await settled();
      return endpoint().payloads(type);
    },
  };
}

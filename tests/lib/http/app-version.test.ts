import { describe, expect, it } from "vitest";
import index from "../../../api/index.js";
import { call } from "../../support/call.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";

useEnvironment({ MIN_APP_VERSION: "1.4" });

const sent = (version: string) => ({ headers: { "x-app-version": version } });

describe("X-App-Version", () => {
  it.each(["1.3.9", "1.3", "1", "0.99.99", "1.3.9-beta.1", "01.03"])(
    "%s gets 426 when it is below MIN_APP_VERSION",
    async (version) => {
      const answer = await call(index, "GET", sent(version));
      expect(answer).toMatchObject({ status: 426, code: "upgrade_required" });
      expect(answer.body.retryable).toBe(false);
    },
  );

  it.each(["1.4", "1.4.0", "1.4.1", "1.10.0", "2", "10.0.0", "1.4.0-beta"])(
    "%s is served",
    async (version) => {
      expect((await call(index, "GET", sent(version))).status).toBe(200);
    },
  );

  it.each(["", "latest", "v1.0", "-1", "99999999999"])("%j is ignored", async (version) => {
    expect((await call(index, "GET", sent(version))).status).toBe(200);
  });

  it("is optional", async () => {
    expect((await call(index, "GET")).status).toBe(200);
    setEnvironment({});
    expect((await call(index, "GET", sent("0.0.1"))).status).toBe(200);
  });

  it("does not affect a preflight request", async () => {
    expect((await call(index, "OPTIONS", sent("1.0"))).status).toBe(204);
  });
});

import { describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import logout from "../../../api/auth/logout.js";
import register from "../../../api/auth/register.js";
import index from "../../../api/index.js";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

useEnvironment({ LOG_LEVEL: "info" });
const stores = useStores();
const logs = useLogLines();

const summary = () =>
  logs.read("http_request").map(({ level, req, data }) => {
    return [level, req.method, req.path, data.status, data.code];
  });

describe("log lines of requests", () => {
  it("are one per request, for any response", async () => {
    const person = await aUser();
    const token = person.accessToken;
    await call(user, "GET", { token });
    await call(user, "HEAD", { token });
    await call(user, "OPTIONS");
    await call(user, "PUT", { token });
    await call(user, "GET");
    await call(login, "POST", { body: "{" });
    await call(login, "POST", { body: {} });
    await call(login, "POST", { body: { email: person.email, password: "wrong" } });
    await call(logout, "POST", { token });
    await call(user, "GET", { token });
    await stores.faults.postgres.set({ kind: "refuse" });
    await call(logout, "POST", { token });
    expect(summary()).toEqual([
      ["INFO", "POST", "/api/auth/register", 201, undefined],
      ["INFO", "GET", "/api/user", 200, undefined],
      ["INFO", "HEAD", "/api/user", 200, undefined],
      ["INFO", "OPTIONS", "/api/user", 204, undefined],
      ["INFO", "PUT", "/api/user", 405, "method_not_allowed"],
      ["INFO", "GET", "/api/user", 401, "token_missing"],
      ["INFO", "POST", "/api/auth/login", 400, "malformed_body"],
      ["INFO", "POST", "/api/auth/login", 422, "validation_failed"],
      ["INFO", "POST", "/api/auth/login", 401, "invalid_credentials"],
      ["INFO", "POST", "/api/auth/logout", 204, undefined],
      ["INFO", "GET", "/api/user", 401, "session_revoked"],
      ["ERROR", "POST", "/api/auth/logout", 503, "service_unavailable"],
    ]);
  });

  it("have their own correlation ID, for concurrent requests", async () => {
    const ids = Array.from({ length: 20 }, (_, n) => `parallel-${n}`);
    await Promise.all(ids.map((id) => call(index, "GET", { headers: { "x-correlation-id": id } })));
    const found = logs.read("http_request").map(({ corr }) => corr.correlationId);
    expect(found.sort()).toEqual(ids.sort());
  });

  it("report an unavailable Redis once in a while, with the reason", async () => {
    const { accessToken: token } = await aUser();
    await stores.faults.redis.set({ kind: "refuse" });
    for (let request = 0; request < 10; request++) {
      expect((await call(user, "GET", { token })).status).toBe(200);
      await stores.settled();
    }
    const lines = logs.read("redis_unavailable");
    // The batch of its event is the second failure, after which Redis is skipped.
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: "WARN", cat: "redis" });
    expect(lines[0].data.error).toContain("ECONNREFUSED");
  });

  it("report an unavailable Redis no more often for requests with a refused token", async () => {
    await stores.faults.redis.set({ kind: "refuse" });
    for (let request = 0; request < 10; request++) {
      expect((await call(user, "GET", { token: "no token" })).status).toBe(401);
      await stores.settled();
    }
    expect(logs.read("deferred_work_failed").length).toBeLessThanOrEqual(2);
  });

  it("have the same correlation ID for one failure of a store", async () => {
    await stores.faults.postgres.set({ kind: "refuse" });
    const { status, body } = await call(register, "POST", {
      body: {
        email: "grace@example.com",
        password: "correct horse battery",
        name: "Grace",
        acceptedTerms: true,
      },
      headers: { "x-correlation-id": "failing-1" },
    });
    expect(status).toBe(503);
    expect(body.correlationId).toBe("failing-1");
    const lines = logs.read();
    expect(lines.map(({ evt }) => evt)).toEqual(["request_failed", "http_request"]);
    expect(lines.map(({ corr }) => corr.correlationId)).toEqual(["failing-1", "failing-1"]);
    expect(lines[0].data.causes).toContain("ECONNREFUSED");
  });
});

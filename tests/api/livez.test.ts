import { describe, expect, it } from "vitest";
import livez from "../../api/livez.js";
import { call } from "../support/call.js";
import { setEnvironment, useEnvironment } from "../support/environment.js";

useEnvironment();

describe("GET /api/livez", () => {
  it("returns status pass", async () => {
    const { status, body, headers } = await call(livez, "GET");
    expect(status).toBe(200);
    expect(body).toEqual({ status: "pass" });
    expect(headers.get("cache-control")).toBe("no-store");
  });

  it("needs no store and no store configuration", async () => {
    setEnvironment({ VERCEL: "1", NODE_ENV: "production" });
    expect((await call(livez, "GET")).status).toBe(200);
  });

  it("is served under any host name", async () => {
    setEnvironment({ ALLOWED_HOSTS: "linguamate.com" });
    const { status } = await call(livez, "GET", { url: "http://10.0.0.7:8080/api/livez" });
    expect(status).toBe(200);
  });

  it("serves OPTIONS from a load balancer under any host name", async () => {
    setEnvironment({ ALLOWED_HOSTS: "linguamate.com" });
    const url = "http://10.0.0.7:8080/api/livez";
    expect((await call(livez, "OPTIONS", { url })).status).toBe(204);
  });
});

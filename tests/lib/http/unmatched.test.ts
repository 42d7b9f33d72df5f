import { describe, expect, it } from "vitest";
import { unmatched } from "../../../lib/http/unmatched.js";
import { call } from "../../support/call.js";
import { deleteEvents, drained, totals } from "../../support/drained.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { anAddress } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

useEnvironment({ LOG_LEVEL: "info" });
const stores = useStores();
const logs = useLogLines();

const at = (path: string, method: "GET" | "HEAD" | "POST" | "OPTIONS" = "GET", ip = anAddress()) =>
  call(unmatched, method, { url: `http://localhost:8080${path}`, ip });

describe("a path that no function has", () => {
  it("returns a problem with a correlation ID, security headers and one log line", async () => {
    const answer = await at("/.env?token=opaque");
    expect(answer).toMatchObject({ status: 404, code: "not_found" });
    const id = answer.headers.get("x-correlation-id");
    expect(answer.body.correlationId).toBe(id);
    expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const [line, ...others] = logs.read();
    expect(others).toEqual([]);
    expect(line).toMatchObject({
      level: "INFO",
      evt: "http_request",
      corr: { correlationId: id },
      req: { method: "GET", path: "/.env" },
      data: { status: 404, code: "not_found" },
    });
  });

  it("returns 404 for HEAD without a body, for POST with one, and under any host", async () => {
    const head = await at("/.git/config", "HEAD");
    expect(head).toMatchObject({ status: 404, body: undefined });
    expect(Number(head.headers.get("content-length"))).toBeGreaterThan(100);
    const options = { url: "http://localhost:8080/x", body: { a: 1 }, ip: anAddress() };
    expect(await call(unmatched, "POST", options)).toMatchObject({
      status: 404,
      code: "not_found",
    });
    setEnvironment({ ALLOWED_HOSTS: "linguamate.com" });
    const byIp = await call(unmatched, "GET", { url: "http://192.0.2.1/", ip: anAddress() });
    expect(byIp).toMatchObject({ status: 404, code: "not_found" });
    expect(logs.read().filter(({ level }) => level === "SECURITY")).toEqual([]);
  });

  it("lets a web app read the problem, also after a preflight", async () => {
    const origin = "https://app.linguamate.com";
    setEnvironment({ CORS_ORIGIN: origin });
    for (const method of ["OPTIONS", "GET"] as const) {
      const answer = await call(unmatched, method, {
        url: "http://localhost:8080/api/none",
        headers: { origin },
      });
      expect(answer.status).toBe(method === "GET" ? 404 : 204);
      expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
    }
  });

  it("counts as one route, with an event and an access log row", async () => {
    await deleteEvents(stores);
    for (const path of ["/.env", "/wp-login.php", `/${"a".repeat(5000)}`, "/api/none"])
      await at(path);
    await drained(stores);
    const route = 'route="unmatched"';
    expect(await totals(stores)).toMatchObject({
      [`http_requests_total{${route},method="GET",status="404"}`]: 4,
      [`http_errors_total{${route},code="not_found"}`]: 4,
      [`http_request_duration_seconds_count{${route}}`]: 4,
    });
    const rows = await stores.sql("select distinct route, status from access_log");
    expect(rows).toEqual([{ route: "unmatched", status: "404" }]);
    expect(JSON.stringify([await totals(stores), rows])).not.toMatch(/wp-login|aaaa/);
  });

  it("logs a bounded path without control characters, tokens and addresses", async () => {
    const paths = [
      `/${"a".repeat(10_000)}`,
      "/%0d%0aevt:forged",
      "/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
      "/mail/ada@example.com",
      "/x;password=hunter2",
    ];
    for (const path of paths) await at(path);
    expect(logs.read("http_request").map(({ req }) => req.path)).toEqual([
      "…",
      "/%0d%0aevt:forged",
      "/reset/[token]",
      "/mail/[email]",
      "/x;password=[secret]",
    ]);
  });

  it("is refused after as many calls of one address as other unsigned calls", async () => {
    setEnvironment({ RATE_LIMIT_MAX_REQUESTS: "3" });
    const ip = anAddress();
    const codes = [];
    for (let turn = 0; turn < 4; turn += 1) codes.push((await at(`/${turn}`, "GET", ip)).code);
    expect(codes).toEqual(["not_found", "not_found", "not_found", "rate_limited"]);
  });

  it("reports an attack in the path, as on other routes", async () => {
    await at("/index.php?id=1'%20or%20'1'='1");
    expect(logs.read("sql_injection_attempt")[0].data).toMatchObject({ route: "unmatched" });
  });

  it("answers without Redis", async () => {
    await stores.faults.redis.set({ kind: "refuse" });
    expect(await at("/.env")).toMatchObject({ status: 404, code: "not_found" });
    await stores.faults.redis.set(null);
  });
});

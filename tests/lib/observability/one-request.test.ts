import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import register from "../../../api/auth/register.js";
import health from "../../../api/health.js";
import sessions from "../../../api/user/sessions/index.js";
import type { FaultCall } from "../../../dev/fault-proxy.js";
import { alertNoticeOf } from "../../../lib/alerts/notice.js";
import { rules } from "../../../lib/alerts/rules.js";
import { routesOf, send } from "../../../lib/alerts/send-notice.js";
import { auditRow } from "../../../lib/audit/audit.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { externalCall, propagationHeaders } from "../../../lib/observability/external-call.js";
import { sendHeartbeat } from "../../../lib/schedule/heartbeat.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { drained } from "../../support/drained.js";
import { setDefaults, setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { aUser } from "../../support/people.js";
import { useSentry } from "../../support/sentry.js";
import { useStores } from "../../support/stores.js";
import { useToolkit } from "../../support/toolkit.js";

const stores = useStores();
const sentry = useSentry();
const toolkit = useToolkit();
const logs = useLogLines();
useEnvironment({ LOG_LEVEL: "info", VERCEL: "1" });

/** Writes an audit row, calls the toolkit, and then fails. */
const eventful = route("/api/eventful", {
  POST: endpoint({
    summary: "Writes everywhere.",
    auth: "user",
    limits: ["default"],
    replies: { 204: null },
    errors: [],
    handle: async ({ ctx, actor }) => {
      const { userId: id } = actor;
      const entry = { actor: { kind: "user", id }, action: "user.updated", subjectId: id } as const;
      await ctx.db.batch([auditRow(ctx, entry)]);
      await externalCall(ctx, { service: "toolkit", operation: "test" }, () =>
        fetch(toolkit.url, { headers: propagationHeaders(ctx) }),
      );
      throw new Error("in the end");
    },
  }),
});

/** The statements that reached Postgres. */
function statements(calls: FaultCall[]): string[] {
  return calls.flatMap(({ body }) => {
    const { query, queries } = body as { query?: string; queries?: { query: string }[] };
    return query === undefined ? (queries ?? []).map((one) => one.query) : [query];
  });
}

describe("one request's correlation ID", () => {
  const correlationId = "one.request_1-a";
  const headers = { "x-correlation-id": correlationId };
  const corr = { correlationId };
  const comment = /^\/\*correlation_id=one\.request_1-a\*\/\s+[a-z]/;

  it("is in every record of the request", async () => {
    const { accessToken: token, user } = await aUser();
    await stores.resetCalls();
    sentry.endpoint.reset();
    const answer = await call(eventful, "POST", { token, headers });
    const transactions = await sentry.received("transaction");

    expect(answer).toMatchObject({ status: 500, body: { correlationId } });
    expect(answer.headers.get("x-correlation-id")).toBe(correlationId);

    for (const evt of ["request_failed", "http_request"]) {
      expect(logs.read(evt).at(-1), evt).toMatchObject({ corr });
    }

    expect(
      await stores.sql("select action from audit_log where correlation_id = $1", correlationId),
    ).toEqual([{ action: "user.updated" }]);

    const sent = statements(stores.faults.postgres.calls);
    expect(sent.some((text) => text.includes("audit_log"))).toBe(true);
    for (const text of sent) expect(text).toMatch(comment);

    expect(toolkit.requests).toMatchObject([{ headers: { "x-correlation-id": correlationId } }]);

    expect(transactions).toMatchObject([
      { tags: { correlation_id: correlationId }, user: { id: user.id } },
    ]);
    const [{ spans, contexts }] = transactions;
    const ops = new Set(spans.map(({ op }: { op: string }) => op));
    expect(ops).toEqual(new Set(["db", "db.redis", "http.client"]));
    for (const { data } of spans) expect(data).toMatchObject({ correlation_id: correlationId });
    expect(await sentry.received("event")).toMatchObject([
      {
        tags: { correlation_id: correlationId, code: "internal_error" },
        contexts: { trace: { trace_id: contexts.trace.trace_id } },
      },
    ]);
    // The toolkit continues the same trace.
    expect(toolkit.requests[0]?.headers.traceparent).toContain(contexts.trace.trace_id);

    await drained(stores);
    expect(
      await stores.sql(
        "select route, status, code from access_log where correlation_id = $1",
        correlationId,
      ),
    ).toEqual([{ route: "/api/eventful", status: "500", code: "internal_error" }]);
  });

  it("is in each statement of a real endpoint, single, in a batch or after the response", async () => {
    const { accessToken: token } = await aUser();
    await stores.resetCalls();
    expect((await call(sessions, "GET", { token, headers })).status).toBe(200);
    expect((await call(sessions, "DELETE", { token, headers })).status).toBe(204);
    await stores.settled();
    const sent = statements(stores.faults.postgres.calls);
    expect(sent.length).toBeGreaterThan(1);
    for (const text of sent) expect(text).toMatch(comment);
  });

  it("is sent to the mail provider, the alert destinations and the heartbeat", async () => {
    const seen: Record<string, unknown> = {};
    const outside = createServer((request, response) => {
      seen[request.url ?? ""] = request.headers["x-correlation-id"];
      response.end("{}");
    });
    await once(outside.listen(0, "127.0.0.1"), "listening");
    const url = `http://127.0.0.1:${(outside.address() as AddressInfo).port}`;
    setEnvironment({
      RESEND_API_KEY: "re_tests",
      RESEND_API_URL: url,
      PAGERDUTY_ROUTING_KEY: "a-routing-key",
      PAGERDUTY_URL: `${url}/page`,
      ALERT_WEBHOOK_URL: `${url}/team`,
      HEARTBEAT_URL: `${url}/beat`,
    });
    const email = `learner-${randomUUID()}@example.com`;
    const body = { email, password: "correct horse battery", name: "Ada", acceptedTerms: true };
    expect((await call(register, "POST", { headers, body })).status).toBe(201);
    await stores.settled();

    const ctx = { ...aContext(), correlationId };
    const of = { key: "a key", label: "", detail: "", minute: 0 } as const;
    const alert = { event: "trigger", priority: "P1", channel: "page", ...of } as const;
    const { id, payload } = alertNoticeOf(rules[0], alert);
    for (const way of routesOf(ctx.env, "page")) await send(ctx, way, payload, id);
    await sendHeartbeat(ctx);
    outside.close();
    expect(seen).toEqual({
      "/emails": correlationId,
      "/page": correlationId,
      "/team": correlationId,
      "/beat": correlationId,
    });
  });

  it("is sent to the toolkit by the health check", async () => {
    setDefaults({ EXPO_PUBLIC_TOOLKIT_URL: toolkit.url });
    await call(health, "GET", { headers });
    expect(toolkit.requests).toMatchObject([{ headers: { "x-correlation-id": correlationId } }]);
  });
});

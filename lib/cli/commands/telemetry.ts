import { isServerError } from "../../errors.js";
import { AccessLogRow } from "../../operations/telemetry/access-log.js";
import { DrainStatus } from "../../operations/telemetry/drain-status.js";
import { ErrorsByRoute } from "../../operations/telemetry/errors-by-route.js";
import { SlowRoutes } from "../../operations/telemetry/slow-routes.js";
import { pageSchema } from "../../page.js";
import { type Command, textOf } from "../command.js";
import { table } from "../text.js";

const minutes = { minutes: { type: "string", default: "15" } } as const;

const errors: Command = {
  name: "errors",
  args: [],
  summary: "error codes per route, server errors first: --minutes 15",
  options: minutes,
  async run({ api, options }) {
    const query = { minutes: textOf(options.minutes) };
    const found = ErrorsByRoute.parse(await api.get("/api/ops/errors", query));
    const isProblem = found.rows.some(({ status, code }) => isServerError(status ?? 0, code));
    return { body: found, text: table(found.rows, "No errors."), isProblem };
  },
};

const slow: Command = {
  name: "slow",
  args: [],
  summary: "latency per route, slowest first: --minutes 15",
  options: minutes,
  async run({ api, options }) {
    const query = { minutes: textOf(options.minutes) };
    const found = SlowRoutes.parse(await api.get("/api/ops/slow", query));
    const isProblem = found.rows.some(({ count, over1s }) => over1s * 20 > count);
    return { body: found, text: table(found.rows, "No requests."), isProblem };
  },
};

const drain: Command = {
  name: "drain",
  args: [],
  summary: "the event drain: lag, backlog and lost batches",
  async run({ api }) {
    const found = DrainStatus.parse(await api.get("/api/ops/drain"));
    const { gaps, waiting, ...state } = found;
    const rows = Object.entries({ ...state, ...waiting }).map(([what, value]) => ({ what, value }));
    const lost = gaps.length > 0 ? `\n\nLost batches:\n${table(gaps)}` : "";
    const isProblem = found.lagSeconds > 180 || found.keeps !== "every row";
    return { body: found, text: table(rows) + lost, isProblem };
  },
};

const drainNow: Command = {
  name: "drain now",
  args: [],
  summary: "drain the backlog now; safe to repeat",
  changes: true,
  run: ({ api }) => api.change("POST", "/api/ops/drain"),
};

const filters = ["status", "route", "code", "user", "ip", "since", "limit", "cursor"] as const;

const accessLog: Command = {
  name: "access-log",
  args: [],
  summary: "requests of the last 24 h, newest first; filter with the options",
  options: {
    ...Object.fromEntries(filters.map((name) => [name, { type: "string" as const }])),
    correlation: { type: "string" },
  },
  notes: "--since takes a time such as 2026-01-31T08:00:00Z, --user a user ID, --ip an IP address.",
  async run({ api, options }) {
    const query = Object.fromEntries(filters.map((name) => [name, textOf(options[name])]));
    const answer = await api.get("/api/ops/access-log", {
      ...query,
      correlationId: textOf(options.correlation),
    });
    const { items, nextCursor } = pageSchema(AccessLogRow).parse(answer);
    const rows = items.map(
      ({ at, count, status, method, route, code, durationMs, ipPrefix, correlationId }) => ({
        at,
        n: count,
        status,
        method,
        route,
        code,
        ms: durationMs,
        ip: ipPrefix,
        correlationId,
      }),
    );
    const more = nextCursor ? `\nMore: --cursor ${nextCursor}` : "";
    return { body: answer, text: table(rows) + more };
  },
};

export const telemetry = [errors, slow, drain, drainNow, accessLog];

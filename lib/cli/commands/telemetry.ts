import { isServerError } from "../../errors.js";
import { AccessLogRow } from "../../operations/telemetry/access-log.js";
import { DrainShown } from "../../operations/telemetry/drain-status.js";
import { ErrorsByRoute } from "../../operations/telemetry/errors-by-route.js";
import { SlowRoutes } from "../../operations/telemetry/slow-routes.js";
import { pageOf } from "../../page.js";
import { type Command, textOf } from "../command.js";
import { table } from "../text.js";

const minutes = { minutes: { type: "string", default: "15" } } as const;

const errors: Command = {
  name: "errors",
  args: [],
  summary: "which codes the routes answered of late, errors of ours first: --minutes 15",
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
  summary: "how long the routes took of late, the slowest first: --minutes 15",
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
  summary: "where the drain of request events stands, what waits and what was lost",
  async run({ api }) {
    const found = DrainShown.parse(await api.get("/api/ops/drain"));
    const { gaps, waiting, ...state } = found;
    const rows = Object.entries({ ...state, ...waiting }).map(([what, value]) => ({ what, value }));
    const lost = gaps.length > 0 ? `\n\nBatches that never came:\n${table(gaps)}` : "";
    const isProblem = found.lagSeconds > 180 || found.keeps !== "every row";
    return { body: found, text: table(rows) + lost, isProblem };
  },
};

const drainNow: Command = {
  name: "drain now",
  args: [],
  summary: "drain what waits; twice is harmless",
  changes: true,
  run: ({ api }) => api.change("POST", "/api/ops/drain"),
};

const filters = ["status", "route", "code", "user", "ip", "since", "limit", "cursor"] as const;

const accessLog: Command = {
  name: "access-log",
  args: [],
  summary: "what was asked in the last day, newest first; narrowed by its options",
  options: {
    ...Object.fromEntries(filters.map((name) => [name, { type: "string" as const }])),
    correlation: { type: "string" },
  },
  notes: "--since takes a moment as 2026-01-31T08:00:00Z, --user a user's id, --ip an address.",
  async run({ api, options }) {
    const query = Object.fromEntries(filters.map((name) => [name, textOf(options[name])]));
    const answer = await api.get("/api/ops/access-log", {
      ...query,
      correlationId: textOf(options.correlation),
    });
    const { items, nextCursor } = pageOf(AccessLogRow).parse(answer);
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

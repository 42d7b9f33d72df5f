import { AccessLogRow } from "../../operations/telemetry/access-log.js";
import { DrainStatus } from "../../operations/telemetry/drain-status.js";
import { ErrorsByRoute } from "../../operations/telemetry/errors-by-route.js";
import { minutesMax } from "../../operations/telemetry/recent-series.js";
import { SlowRoutes } from "../../operations/telemetry/slow-routes.js";
import { limitMax, pageSchema } from "../../page.js";
import { ipAddress, numberFrom, text, time, uuid } from "../checks.js";
import { type Command, textOf } from "../command.js";
import { commandText } from "../command-text.js";
import { table } from "../text.js";
import { upTo } from "../up-to.js";

const minutes = { minutes: { type: "string", default: "15" } } as const;

/** Missing in the replies of an older release. */
const optionalUntil = { eventsUntil: true } as const;

function untilText({ eventsUntil }: { eventsUntil?: string | undefined }): string {
  return eventsUntil === undefined ? "" : `\nRequests up to ${upTo(Date.parse(eventsUntil))}.`;
}

const errors: Command = {
  name: "errors",
  args: [],
  summary: "error codes per route, server errors first: --minutes 15",
  options: minutes,
  checks: { minutes: numberFrom(1, minutesMax) },
  async run({ api, options }) {
    const query = { minutes: textOf(options.minutes) };
    const found = await api.get(ErrorsByRoute.partial(optionalUntil), "/api/ops/errors", query);
    return { body: found, text: table(found.rows, "No errors.") + untilText(found) };
  },
};

const slow: Command = {
  name: "slow",
  args: [],
  summary: "latency per route, slowest first: --minutes 15",
  options: minutes,
  checks: { minutes: numberFrom(1, minutesMax) },
  async run({ api, options }) {
    const query = { minutes: textOf(options.minutes) };
    const found = await api.get(SlowRoutes.partial(optionalUntil), "/api/ops/slow", query);
    return { body: found, text: table(found.rows, "No requests.") + untilText(found) };
  },
};

const drain: Command = {
  name: "drain",
  args: [],
  summary: "the event drain: lag, backlog and lost batches",
  async run({ api }) {
    const found = await api.get(DrainStatus, "/api/ops/drain");
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
  checks: {
    status: numberFrom(100, 599),
    route: text(200),
    code: text(64),
    user: uuid,
    ip: ipAddress,
    since: time,
    limit: numberFrom(1, limitMax),
    cursor: text(256),
    correlation: text(64),
  },
  notes: "--since takes a time such as 2026-01-31T08:00:00Z, --user a user ID, --ip an IP address.",
  async run({ api, options }) {
    const query = Object.fromEntries(filters.map((name) => [name, textOf(options[name])]));
    const found = await api.get(pageSchema(AccessLogRow), "/api/ops/access-log", {
      ...query,
      correlationId: textOf(options.correlation),
    });
    const { items, nextCursor } = found;
    const rows = items.map(
      ({ at, count, status, method, route, code, durationMs, ipPrefix, correlationId }) => ({
        at,
        status,
        n: count,
        method,
        ms: durationMs,
        code,
        route,
        ip: ipPrefix,
        correlationId,
      }),
    );
    const { cursor: _, ...given } = query;
    const next = { ...given, correlation: options.correlation, cursor: nextCursor };
    const more = nextCursor ? `\nMore:\n${commandText({ options }, "access-log", next)}` : "";
    return { body: found, text: table(rows, undefined, ["ip", "correlationId"]) + more };
  },
};

export const telemetry = [errors, slow, drain, drainNow, accessLog];

import { addressPrefix } from "../../ip-address.js";
import { AccessLog } from "../../operations/telemetry/access-log.js";
import { DrainStatus } from "../../operations/telemetry/drain-status.js";
import { ErrorsByRoute } from "../../operations/telemetry/errors-by-route.js";
import { minutesMax } from "../../operations/telemetry/recent-series.js";
import { SecurityEventSources } from "../../operations/telemetry/security-event-sources.js";
import { SlowRoutes } from "../../operations/telemetry/slow-routes.js";
import { ipAddress, network, numberFrom, since, text, uuid } from "../checks.js";
import { type Command, textOf } from "../command.js";
import { sinceOf } from "../duration.js";
import { nextPageText, pageChecks, pageOf, pageOptions } from "../next-page.js";
import { table, untilText } from "../text.js";

const minutes = { minutes: { type: "string", default: "15" } } as const;

const errors: Command = {
  name: "errors",
  args: [],
  summary: "error codes per route, server errors first: --minutes 15",
  options: minutes,
  checks: { minutes: numberFrom(1, minutesMax) },
  async run({ api, options }) {
    const query = { minutes: textOf(options.minutes) };
    const found = await api.get(ErrorsByRoute, "/api/ops/errors", query);
    const rows = table(found.rows, "No errors.");
    return { body: found, text: `${untilText(found)}\n${rows}` };
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
    const found = await api.get(SlowRoutes, "/api/ops/slow", query);
    const rows = found.rows.map(({ route, count, meanSeconds, p50, p95, p99, over1s, over2s }) => ({
      route,
      count,
      "mean s": meanSeconds,
      "p50 s": p50,
      "p95 s": p95,
      "p99 s": p99,
      // A 0 needs no line of its own where the columns do not fit.
      over1s: over1s || null,
      over2s: over2s || null,
    }));
    return { body: found, text: `${untilText(found)}\n${table(rows, "No requests.")}` };
  },
};

const security: Command = {
  name: "security",
  args: [],
  summary: "the IP addresses with the most security events, per event: --minutes 15",
  options: { ...minutes, network: { type: "string" } },
  checks: { minutes: numberFrom(1, minutesMax), network },
  notes:
    "--network limits the list to a network such as 203.0.113.0/24, which `access-log` shows instead of an address.\n`find IP` shows the events of one address, and the accounts that it tried. `targets` is the number of e-mail addresses that failed sign-ins used. Events without an ip are those of a flood, which came from several addresses.",
  async run({ api, options }) {
    const query = { minutes: textOf(options.minutes), network: textOf(options.network) };
    const found = await api.get(SecurityEventSources, "/api/ops/security-events", query);
    const rows = found.rows.map(({ event, ip, count, targets, lastAt }) => ({
      count,
      event,
      targets: targets || null,
      lastAt,
      ip,
    }));
    const text = `${untilText(found)}\n${table(rows, "No security events.")}`;
    return { body: found, text };
  },
};

const drain: Command = {
  name: "drain",
  args: [],
  summary: "the event drain: lag, backlog and lost batches",
  notes:
    "Lost batches are missing in the database: they did not reach it, or it was restored since. The metric\ntelemetry_lost_batches_total counts only those that could not be written to Redis.",
  async run({ api }) {
    const found = await api.get(DrainStatus, "/api/ops/drain");
    const { gaps, waiting, ...state } = found;
    const rows = Object.entries({ ...state, ...waiting }).map(([what, value]) => ({ what, value }));
    const lost = gaps.length > 0 ? `\n\nLost batches:\n${table(gaps)}` : "";
    const isUnknown = waiting === null;
    const unknown = isUnknown ? "\n\nRedis does not answer: the backlog is unknown." : "";
    const isProblem = isUnknown || found.lagSeconds > 180 || found.keeps !== "every row";
    return { body: found, text: table(rows) + unknown + lost, isProblem };
  },
};

const drainNow: Command = {
  name: "drain now",
  args: [],
  summary: "drain the backlog now; safe to repeat",
  changes: true,
  run: ({ api }) => api.change("POST", "/api/ops/drain"),
};

const filters = ["status", "route", "code", "user", "ip", "since"] as const;

const accessLog: Command = {
  name: "access-log",
  args: [],
  summary: "requests of the last 24 h, newest first; filter with the options",
  options: {
    ...Object.fromEntries(filters.map((name) => [name, { type: "string" as const }])),
    ...pageOptions,
    correlation: { type: "string" },
  },
  checks: {
    status: numberFrom(100, 599),
    route: text(200),
    code: text(64),
    user: uuid,
    ip: ipAddress,
    since,
    ...pageChecks,
    correlation: text(64),
  },
  notes:
    "--since takes a time such as 2026-01-31T08:00:00Z, a date (UTC) or an age such as 12h; --user a user ID; --ip an IP\naddress, and lists the requests of its whole network (/24, or /48 of IPv6): the log has no single addresses.",
  async run({ api, options }) {
    const given = {
      ...Object.fromEntries(filters.map((name) => [name, textOf(options[name])])),
      since: sinceOf(options),
    };
    const ip = textOf(options.ip);
    const { limit, cursor } = pageOf({ options });
    const found = await api.get(AccessLog, "/api/ops/access-log", {
      ...given,
      limit,
      cursor,
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
    const query = { ...given, limit, correlation: options.correlation };
    const more = nextPageText({ options }, "access-log", query, nextCursor);
    const parts = [
      untilText(found),
      ...(ip
        ? [`Of all addresses in ${addressPrefix(ip)}: the access log has no single addresses.`]
        : []),
      table(rows, undefined, ["ip", "correlationId"]),
    ];
    return { body: found, text: parts.join("\n") + more };
  },
};

export const telemetry = [errors, slow, security, drain, drainNow, accessLog];

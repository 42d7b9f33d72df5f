import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "@upstash/redis";
import type { Context } from "../context.js";
import { databaseRefusalReason } from "../db/failures.js";
import { databaseDown } from "../observability/log-lines/alerts.js";
import { seriesName } from "../observability/metrics.js";
import { redis } from "../redis/upstash-client.js";
import { minuteMs, type Sample } from "./measures.js";
import { type AlertNotice, alertKey, alertNoticeOf } from "./notice.js";
import type { Rule } from "./rule.js";
import { rules } from "./rules.js";
import { type NoticeRoute, routeNames, routesOf, send } from "./send-notice.js";

export interface Outage {
  /** In ms, when Postgres was unavailable; a minute before the first due one counts as that one. */
  minutes: number[];
  /** The first of them that was paged; null when none was. */
  pagedFrom: number | null;
  samples: Sample[];
  /** When Postgres was down, in ms; one minute without a note does not end a span. */
  spans: Span[];
}

export interface Span {
  from: number;
  until: number;
}

const minutesKey = "alerts:database-down";
const pagedKey = "alerts:database-down:paged";
const lockKey = (route: string) => `alerts:database-down:lock:${route}`;
const ttlSeconds = 24 * 3600;
const pageSeconds = 15 * 60;
const triesMax = 3;
/** Minutes at most this far apart belong to one outage: cron may miss one. */
const inARowMs = 2 * minuteMs;

const rule = rules.find(({ name }) => name === "HealthCheckFailing") as Rule;

/** Used while Redis is down too. */
const memory = {
  minutes: new Set<number>(),
  pagedFrom: null as number | null,
  pagedAtMs: new Map<string, number>(),
};

/**
 * Record a failing minute of Postgres, and page from the second within 2 min, or at once while Redis is down too: each
 * route at most once in 15 min (per process without Redis), with the key that the state machine resolves in PagerDuty. Never rejects.
 */
export async function pageDatabaseDown(ctx: Context, failure: unknown): Promise<void> {
  const minute = Math.floor(ctx.now.getTime() / minuteMs) * minuteMs;
  const recorded = await recordMinute(minute);
  const count = (recorded ?? [...memory.minutes]).filter((at) => minute - at <= inARowMs).length;
  const reason = databaseRefusalReason(failure);
  if (recorded !== null && count <= rule.forMinutes) {
    databaseDown(ctx.correlationId, { outcome: "noted", count, reason });
    return;
  }
  const { payload } = alertNoticeOf(rule, {
    event: "trigger",
    key: alertKey(ctx, rule.name, "postgres"),
    label: "postgres",
    priority: rule.priority,
    channel: "page",
    detail: `Postgres is unavailable${reason ? `: ${reason}` : ""}; alerts cannot be evaluated`,
    minute,
  });
  const routes = routesOf(ctx.env, "page");
  const outcomes = await Promise.all(routes.map((route) => page(ctx, route, payload)));
  const isPaged = routes.length === 0 || outcomes.includes("paged");
  if (isPaged) await rememberPage(minute);
  databaseDown(ctx.correlationId, { outcome: outcomeOf(outcomes), count, reason });
}

type PageOutcome = "paged" | "paged_before" | "unsent";

/** A route that failed outranks one that worked. */
function outcomeOf(outcomes: PageOutcome[]): PageOutcome | "unaddressed" {
  if (outcomes.length === 0) return "unaddressed";
  if (outcomes.includes("unsent")) return "unsent";
  return outcomes.includes("paged") ? "paged" : "paged_before";
}

async function page(ctx: Context, route: NoticeRoute, notice: AlertNotice): Promise<PageOutcome> {
  if (!(await acquireLock(ctx, route.name))) return "paged_before";
  for (let attempt = 1; attempt <= triesMax; attempt += 1) {
    const { kind } = await send(ctx, route, notice, randomUUID());
    if (kind === "accepted") return "paged";
    await sleep(attempt * 250);
  }
  memory.pagedAtMs.delete(route.name);
  await ifRedisWorks((client) => client.del(lockKey(route.name)));
  return "unsent";
}

async function acquireLock({ now }: Context, route: string): Promise<boolean> {
  try {
    const client = await redis();
    const lock = await client.set(lockKey(route), 1, { nx: true, ex: pageSeconds });
    if (lock === null) return false;
  } catch {
    // PagerDuty deduplicates the pages of several processes by their key.
    const sinceMs = now.getTime() - (memory.pagedAtMs.get(route) ?? 0);
    if (sinceMs < pageSeconds * 1000) return false;
  }
  memory.pagedAtMs.set(route, now.getTime());
  return true;
}

/** Remember the first paged minute, so that the state machine resolves the page. */
async function rememberPage(minute: number): Promise<void> {
  memory.pagedFrom ??= minute;
  await ifRedisWorks((client) => client.set(pagedKey, minute, { nx: true, ex: ttlSeconds }));
}

async function recordMinute(minute: number): Promise<number[] | null> {
  memory.minutes.add(minute);
  try {
    const client = await redis();
    await client.sadd(minutesKey, minute);
    await client.expire(minutesKey, ttlSeconds);
    return (await client.smembers(minutesKey)).map(Number);
  } catch {
    return null;
  }
}

/** The recorded outage, mapped to the minutes due for evaluation; a page is returned until Postgres has it. Never rejects. */
export async function recallOutage(sampledUntil: number, due: number[]): Promise<Outage> {
  const found = new Set(memory.minutes);
  // Another process may have recorded the page in Postgres: use ours only if it is newer.
  const isUnrecorded = memory.pagedFrom !== null && memory.pagedFrom > sampledUntil;
  let paged = isUnrecorded ? memory.pagedFrom : null;
  try {
    const client = await redis();
    const [storedMinutes, storedPage] = await Promise.all([
      client.smembers(minutesKey),
      client.get<number>(pagedKey),
    ]);
    for (const minute of storedMinutes) found.add(Number(minute));
    if (storedPage !== null) paged = Number(storedPage);
  } catch {}
  const [first] = due;
  if (first === undefined) return { minutes: [], pagedFrom: null, samples: [], spans: [] };
  const noted = [...found].filter((minute) => minute > sampledUntil);
  const minutes = new Set(noted.map((minute) => Math.max(minute, first)));
  const pagedFrom = paged === null ? null : Math.max(paged, first);
  if (pagedFrom !== null) minutes.add(pagedFrom);
  const sample = { series: seriesName("probe_failed", { probe: "postgres" }), value: 1 };
  return { minutes: [...minutes], pagedFrom, samples: [sample], spans: spansOf(noted) };
}

function spansOf(minutes: number[]): Span[] {
  const spans: Span[] = [];
  for (const from of [...minutes].sort((one, other) => one - other)) {
    const last = spans.at(-1);
    if (last && from <= last.until + minuteMs) last.until = from + minuteMs;
    else spans.push({ from, until: from + minuteMs });
  }
  return spans;
}

/** Call after the outage was recorded in Postgres. Also releases the routes' locks. Never rejects. */
export async function forgetOutage(): Promise<void> {
  memory.minutes.clear();
  memory.pagedFrom = null;
  memory.pagedAtMs.clear();
  await ifRedisWorks((client) => client.del(minutesKey, pagedKey, ...routeNames.map(lockKey)));
}

async function ifRedisWorks(command: (client: Redis) => Promise<unknown>): Promise<void> {
  await redis()
    .then(command)
    .catch(() => {});
}

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../context.js";
import { refusalOf } from "../db/failures.js";
import { databaseDown } from "../observability/log-lines/alerts.js";
import { seriesName } from "../observability/metrics.js";
import { redis } from "../redis/client.js";
import { minuteMs, type Sample } from "./measures.js";
import { type AlertNotice, alertKey, alertNoticeOf } from "./notice.js";
import type { Rule } from "./rule.js";
import { rules } from "./rules.js";
import { type Route, routeNames, routesOf, send } from "./send-notice.js";

/** What is remembered of a time in which Postgres could not be asked. */
export interface Outage {
  /** The minutes in which that was found, in ms. */
  minutes: number[];
  /** From which of them on somebody was told; null where nobody was. */
  pagedFrom: number | null;
  /** What each of these minutes says. */
  samples: Sample[];
}

const minutesKey = "alerts:database-down";
const pagedKey = "alerts:database-down:paged";
const lockKey = (route: string) => `alerts:database-down:lock:${route}`;
const keptSeconds = 24 * 3600;
/** How long somebody has been told; then they are told again. */
const pageSeconds = 15 * 60;
const triesMax = 3;
/** Minutes that are no further apart belong to one outage, though the clock missed one. */
const inARowMs = 2 * minuteMs;

const rule = rules.find(({ name }) => name === "HealthCheckFailing") as Rule;

/** Stands in for Redis while that is away too: all that a process can know. */
const memory = {
  minutes: new Set<number>(),
  pagedFrom: null as number | null,
  pagedAtMs: new Map<string, number>(),
};

/**
 * Postgres cannot be asked, or told what was found, and `failure` is how: note the minute, and from the
 * second one in a row on tell it without Postgres, once per way and quarter of an hour. PagerDuty knows
 * the page by the key that the state machine will resolve. With Redis away as well the first minute is
 * enough: no other process knows.
 */
export async function pageDatabaseDown(ctx: Context, failure: unknown): Promise<void> {
  const minute = Math.floor(ctx.now.getTime() / minuteMs) * minuteMs;
  const known = await noteMinute(minute);
  const count = (known ?? [...memory.minutes]).filter((at) => minute - at <= inARowMs).length;
  if (known !== null && count <= rule.forMinutes) {
    databaseDown(ctx.correlationId, "noted", count);
    return;
  }
  const refusal = refusalOf(failure);
  const { payload } = alertNoticeOf(rule, {
    event: "trigger",
    key: alertKey(ctx, rule.name, "postgres"),
    label: "postgres",
    priority: rule.priority,
    channel: "page",
    detail: `Postgres does not serve us${refusal ? `: ${refusal}` : ""}; alerts cannot be evaluated`,
    minute,
  });
  const routes = routesOf(ctx.env, "page");
  const tells = await Promise.all(routes.map((route) => tell(ctx, route, payload)));
  const isTold = routes.length === 0 || tells.includes("told");
  if (isTold) await keepPaged(minute);
  databaseDown(ctx.correlationId, outcomeOf(tells), count);
}

type Told = "told" | "told_before" | "unsent";

/** What became of it, in a word: a way that did not work is what there is to know. */
function outcomeOf(tells: Told[]): Told | "unaddressed" {
  if (tells.length === 0) return "unaddressed";
  if (tells.includes("unsent")) return "unsent";
  return tells.includes("told") ? "told" : "told_before";
}

async function tell(ctx: Context, route: Route, notice: AlertNotice): Promise<Told> {
  if (!(await isMine(ctx, route.name))) return "told_before";
  for (let attempt = 1; attempt <= triesMax; attempt += 1) {
    const { kind } = await send(ctx, route, notice, randomUUID());
    if (kind === "accepted") return "told";
    await sleep(attempt * 250);
  }
  // The next minute tries again.
  memory.pagedAtMs.delete(route.name);
  await redis()
    .del(lockKey(route.name))
    .catch(() => {});
  return "unsent";
}

/** True for one caller in a quarter of an hour, or for one in each process where Redis is away. */
async function isMine({ now }: Context, route: string): Promise<boolean> {
  try {
    const lock = await redis().set(lockKey(route), 1, { nx: true, ex: pageSeconds });
    if (lock === null) return false;
  } catch {
    // PagerDuty takes the pages of many processes as one.
    const sinceMs = now.getTime() - (memory.pagedAtMs.get(route) ?? 0);
    if (sinceMs < pageSeconds * 1000) return false;
  }
  memory.pagedAtMs.set(route, now.getTime());
  return true;
}

/** Remember the first minute of which somebody was told, for the state machine to end it. */
async function keepPaged(minute: number): Promise<void> {
  memory.pagedFrom ??= minute;
  await redis()
    .set(pagedKey, minute, { nx: true, ex: keptSeconds })
    .catch(() => {});
}

/** The minutes that are known of; null when Redis does not answer. */
async function noteMinute(minute: number): Promise<number[] | null> {
  memory.minutes.add(minute);
  try {
    await redis().sadd(minutesKey, minute);
    await redis().expire(minutesKey, keptSeconds);
    return (await redis().smembers(minutesKey)).map(Number);
  } catch {
    return null;
  }
}

/**
 * What there was of an outage, now that Postgres answers, in terms of the minutes that are to be
 * evaluated. Minutes that were evaluated since are none, but a page is known until it was recorded.
 */
export async function recallOutage(sampledUntil: number, due: number[]): Promise<Outage> {
  const found = new Set(memory.minutes);
  // Another process may have recorded it: what only this one knows counts while it is news.
  const isNews = memory.pagedFrom !== null && memory.pagedFrom > sampledUntil;
  let paged = isNews ? memory.pagedFrom : null;
  try {
    const [kept, keptPage] = await Promise.all([
      redis().smembers(minutesKey),
      redis().get<number>(pagedKey),
    ]);
    for (const minute of kept) found.add(Number(minute));
    if (keptPage !== null) paged = Number(keptPage);
  } catch {
    // What this process knows has to do; the samples of the coming minutes tell the rest.
  }
  const [first] = due;
  if (first === undefined) return { minutes: [], pagedFrom: null, samples: [] };
  const noted = [...found].filter((minute) => minute > sampledUntil);
  const minutes = new Set(noted.map((minute) => Math.max(minute, first)));
  const pagedFrom = paged === null ? null : Math.max(paged, first);
  if (pagedFrom !== null) minutes.add(pagedFrom);
  const sample = { series: seriesName("probe_failed", { probe: "postgres" }), value: 1 };
  return { minutes: [...minutes], pagedFrom, samples: [sample] };
}

/** It was recorded, in the statement that made it an alert. */
export async function forgetOutage(): Promise<void> {
  memory.minutes.clear();
  memory.pagedFrom = null;
  memory.pagedAtMs.clear();
  await redis()
    .del(minutesKey, pagedKey, ...routeNames.map(lockKey))
    .catch(() => {});
}

import { sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { databaseRefusalReason } from "../db/failures.js";
import type { Env } from "../env.js";
import { memoizeByObject } from "../memoize-by-object.js";
import { safeErrors } from "../observability/safe-error.js";
import { roundTrip } from "../redis/client.js";
import { type RevokeAllState, readRevokeAll } from "../redis/revoke-all.js";
import { type WriteRefusal, writeRefusal } from "../redis/write-refusal.js";
import { askHealth } from "../toolkit/health.js";
import { version } from "../version.js";

const Status = z.enum(["pass", "warn", "fail"]);

const Check = z.strictObject({
  componentType: z.enum(["system", "datastore", "component"]),
  status: Status,
  observedValue: z.number().optional(),
  observedUnit: z.string().optional(),
  output: z.string().optional(),
  time: z.iso.datetime(),
});
type Check = z.infer<typeof Check>;

/** Format: draft-inadarei-api-health-check. */
export const Health = z
  .strictObject({
    status: Status,
    version: z.string(),
    releaseId: z.string(),
    serviceId: z.literal("linguamate-backend"),
    checks: z.record(z.string(), z.array(Check)),
  })
  .meta({ id: "Health" });
export type Health = z.infer<typeof Health>;

const deadlineMs = 800;
const memoMs = 5000;

const memos = memoizeByObject((_: Env): { until: number; state?: Promise<Health> } => ({
  until: 0,
}));

/**
 * Cached for 5 s per process and bounded to 800 ms, so that frequent probes are cheap. Postgres down is `fail`; Redis or the
 * toolkit down is `warn`, because learners can continue without them.
 */
export function health(ctx: Context): Promise<Health> {
  const nowMs = performance.now();
  const memo = memos(ctx.env);
  if (memo.state && nowMs < memo.until) return memo.state;
  const state = runHealthChecks(ctx);
  Object.assign(memo, { state, until: nowMs + memoMs });
  return state;
}

/** The same without the cache. Never rejects. */
export async function runHealthChecks(ctx: Context): Promise<Health> {
  const [postgres, redisCheck, toolkit] = await Promise.all([
    timed("datastore", "fail", () => checkPostgres(ctx)),
    timed("datastore", "warn", () => checkRedis(ctx)),
    timed("component", "warn", (signal) => checkToolkit(ctx, signal)),
  ]);
  const time = new Date().toISOString();
  const uptime = { observedValue: Math.round(process.uptime()), observedUnit: "s" };
  return {
    status: worst([postgres, redisCheck, toolkit]),
    version,
    releaseId: ctx.env.release.sha,
    serviceId: "linguamate-backend",
    checks: {
      "server:uptime": [{ componentType: "system", status: "pass", ...uptime, time }],
      "postgres:responseTime": [postgres],
      "redis:responseTime": [redisCheck],
      "toolkit:responseTime": [toolkit],
    },
  };
}

/** A check that throws gets the status `failure`. A check may also return a problem: then its response time is kept. */
async function timed(
  componentType: Check["componentType"],
  failure: "warn" | "fail",
  check: (signal: AbortSignal) => Promise<string | undefined>,
): Promise<Check> {
  const signal = AbortSignal.timeout(deadlineMs);
  const startedAt = performance.now();
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(new Unhealthy("no answer within 800 ms")));
  });
  const time = new Date().toISOString();
  try {
    const output = await Promise.race([check(signal), late]);
    const answered = {
      observedValue: Math.round(performance.now() - startedAt),
      observedUnit: "ms",
    };
    return output
      ? { componentType, status: failure, ...answered, output, time }
      : { componentType, status: "pass", ...answered, time };
  } catch (error) {
    const output = error instanceof Unhealthy ? error.message : "unreachable";
    return { componentType, status: failure, output, time };
  }
}

/** Also fails for an empty, read-only or non-UTF8 database. `for update` on no row fails when writes are refused. */
async function checkPostgres({ db }: Context): Promise<undefined> {
  const commands = db.execute(sql`select to_regclass('users') is not null as migrated,
    current_setting('server_encoding') as encoding,
    exists (select 1 from security_settings where false for update) as locked`);
  const { rows } = await commands.catch((error: unknown) => {
    const refusal = databaseRefusalReason(error);
    throw refusal ? new Unhealthy(refusal) : error;
  });
  if (!rows[0]?.migrated) throw new Unhealthy("not migrated: run db:migrate:up");
  const { encoding } = rows[0];
  if (encoding !== "UTF8") throw new Unhealthy(`the encoding is ${encoding}: it must be UTF8`);
}

const readOnly = "read-only: writes are refused";

/** An evicting Redis would lose sessions and limits. A full Redis answers PING, so we write. Upstash has no CONFIG. */
async function checkRedis(ctx: Context): Promise<string | undefined> {
  const trip = roundTrip(ctx);
  const setting = trip.command<string[]>("CONFIG", "GET", "maxmemory-policy").catch(() => []);
  const writing = trip.command("SET", "health", "1", "EX", "60").catch((error: unknown) => {
    throw redisProblem(ctx, error);
  });
  const readingCutoff = readRevokeAll(trip).catch(() => null);
  const commands = [writing, setting, readingCutoff, trip.send()] as const;
  const [, [, policy = "noeviction"], revokeAll] = await Promise.all(commands);
  const problems = [
    ...(policy === "noeviction" ? [] : [`maxmemory-policy is ${policy}: set noeviction`]),
    ...(revokeAll ? revokeAllProblems(revokeAll) : []),
  ];
  return problems.join("; ") || undefined;
}

const refusedWrites: Record<Exclude<WriteRefusal, "NOPERM">, string> = {
  OOM: "full: writes are refused",
  READONLY: readOnly,
  NOREPLICAS: "too few replicas: writes are refused",
  MISCONF: "it cannot save to disk: writes are refused",
};

/** An error reply means that Redis is reachable. */
function redisProblem({ env }: Context, error: unknown): unknown {
  const refusal = writeRefusal(error);
  if (refusal && refusal !== "NOPERM") return new Unhealthy(refusedWrites[refusal]);
  const messages = safeErrors(error)
    .map(({ message }) => message)
    .join(" ");
  const key = env.stores.upstash ? "UPSTASH_REDIS_REST_TOKEN" : "REDIS_URL";
  if (/\b(WRONGPASS|NOAUTH|NOPERM)\b/.test(messages)) return new Unhealthy(`${key} is refused`);
  if (/\bDB index is out of range\b/.test(messages))
    return new Unhealthy(`${key} names no database`);
  const answer = /^[A-Z]{4,}(?= )/.exec(messages)?.[0];
  return answer ? new Unhealthy(`it answers ${answer}`) : error;
}

/** This route is public: show only numbers of a value that was set by hand. */
function revokeAllProblems({ value, ignored, problem }: RevokeAllState): string[] {
  const shown = (text: string | null) => (text && /^-?\d{1,20}$/.test(text) ? ` ${text}` : "");
  if (problem !== null) return [`revokeAllBefore${shown(value)} is ignored: ${problem}`];
  if (ignored === null) return [];
  return [`revokeAllBefore${shown(ignored)} was ignored and ended no session`];
}

async function checkToolkit(ctx: Context, signal: AbortSignal): Promise<undefined> {
  const { outcome } = await askHealth(ctx, signal);
  if (outcome === "status_401" || outcome === "status_403") {
    throw new Unhealthy("TOOLKIT_API_KEY is refused");
  }
  if (outcome === "timeout") throw new Unhealthy("no answer within 800 ms");
  if (outcome.startsWith("status_")) throw new Unhealthy(outcome.replace("_", " "));
  if (outcome !== "ok") throw new Unhealthy("unreachable");
}

/** Its message is public. */
class Unhealthy extends Error {}

function worst(checks: Check[]): Health["status"] {
  const found = new Set(checks.map((check) => check.status));
  if (found.has("fail")) return "fail";
  return found.has("warn") ? "warn" : "pass";
}

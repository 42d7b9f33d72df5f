import { and, desc, eq, gt, inArray, lt, or } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../../context.js";
import { accessLog } from "../../db/schema/telemetry.js";
import { addressPrefix } from "../../ip-address.js";
import { buildPage, pageQuery, pageSchema } from "../../page.js";
import { userHashes } from "../../telemetry/request-event.js";
import { EpochMs, SinceParam } from "../../timestamps.js";
import { drainBeforeReading, EventsUntil } from "./drain-before-reading.js";
import { readDrainedUntil } from "./drain-status.js";

export const AccessLogRow = z.strictObject({
  at: z.iso.datetime(),
  /** How many requests the row stands for; fields in which they differ are null. */
  count: z.int(),
  /** 10 when sampling kept one row in ten. */
  oneIn: z.int(),
  correlationId: z.string().nullable(),
  route: z.string(),
  method: z.string(),
  status: z.int(),
  code: z.string().nullable(),
  durationMs: z.number(),
  userHash: z.string().nullable(),
  ipPrefix: z.string().nullable(),
  limits: z.record(z.string(), z.string()).nullable(),
  externalCalls: z.array(z.tuple([z.string(), z.string(), z.string(), z.number()])).nullable(),
  tokenFailure: z.string().nullable(),
  securityEvents: z.array(z.string()).nullable(),
  appVersion: z.string().nullable(),
  release: z.string(),
});

export const AccessLog = z.strictObject({
  ...pageSchema(AccessLogRow).shape,
  /** Requests that ended before this time are listed, and some later ones. */
  ...EventsUntil.shape,
});

/** End of a page: time in ms and row ID. */
const Position = z.tuple([EpochMs, z.int()]);

export const AccessLogQuery = z.strictObject({
  ...pageQuery(Position).shape,
  since: SinceParam.optional(),
  route: z.string().max(200).optional(),
  status: z
    .string()
    .regex(/^[1-5]\d\d$/)
    .transform(Number)
    .optional(),
  code: z.string().max(64).optional(),
  /** A user ID. */
  user: z.uuid().optional(),
  /** Matches its whole /24 or /48: only that prefix is stored. */
  ip: z.union([z.ipv4(), z.ipv6()]).optional(),
  correlationId: z.string().max(64).optional(),
});

const hoursByDefault = 24;

/** Requests, newest first; the last 24 h by default. The first page drains events first. */
export async function listAccessLog(ctx: Context, query: z.output<typeof AccessLogQuery>) {
  const { since, route, status, code, user, ip, correlationId, cursor } = query;
  const until = cursor
    ? { eventsUntil: await readDrainedUntil(ctx) }
    : await drainBeforeReading(ctx);
  const from = since ? new Date(since) : new Date(ctx.now.getTime() - hoursByDefault * 3_600_000);
  const prefix = ip === undefined ? undefined : addressPrefix(ip);
  const rows = await ctx.db
    .select()
    .from(accessLog)
    .where(
      and(
        gt(accessLog.at, from),
        route === undefined ? undefined : eq(accessLog.route, route),
        status === undefined ? undefined : eq(accessLog.status, status),
        code === undefined ? undefined : eq(accessLog.code, code),
        user === undefined ? undefined : isOf(ctx, user),
        prefix ? eq(accessLog.ipPrefix, prefix) : undefined,
        correlationId === undefined ? undefined : eq(accessLog.correlationId, correlationId),
        cursor && before(cursor),
      ),
    )
    .orderBy(desc(accessLog.at), desc(accessLog.id))
    .limit(query.limit + 1);
  return { ...buildPage(rows, query, present, ({ at, id }) => [at.getTime(), id]), ...until };
}

export const findDays = 7;

/** The newest requests of the users, the network or the correlation ID, in the last 7 days. */
export async function findRequests(
  ctx: Context,
  {
    users,
    ip,
    correlationId,
  }: { users: string[]; ip: string | undefined; correlationId: string | undefined },
  max: number,
) {
  const prefix = ip === undefined ? null : addressPrefix(ip);
  const conditions = [
    ...users.map((id) => isOf(ctx, id)),
    ...(prefix ? [eq(accessLog.ipPrefix, prefix)] : []),
    ...(correlationId ? [eq(accessLog.correlationId, correlationId)] : []),
  ];
  if (conditions.length === 0) return [];
  const from = new Date(ctx.now.getTime() - findDays * 86_400_000);
  const rows = await ctx.db
    .select()
    .from(accessLog)
    .where(and(gt(accessLog.at, from), or(...conditions)))
    .orderBy(desc(accessLog.at), desc(accessLog.id))
    .limit(max);
  return rows.map(present);
}

/** Matches the user's hash under every data key. */
const isOf = ({ env }: Context, userId: string) =>
  inArray(accessLog.userHash, userHashes(env, userId));

/** Request times are whole milliseconds, so the comparison is exact. */
function before([ms, id]: z.output<typeof Position>) {
  const at = new Date(ms);
  return or(lt(accessLog.at, at), and(eq(accessLog.at, at), lt(accessLog.id, id)));
}

function present({ id: _, insertedAt: __, at, ...row }: typeof accessLog.$inferSelect) {
  return { at: at.toISOString(), ...row };
}
